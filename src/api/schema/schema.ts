import { FIELD_TABLE } from './field-table.ts';

/** How server-side apply treats a list or map (KEP-555); `granular` is the default for maps. */
export type ApplyTopology =
  | { readonly kind: 'granular' }
  | { readonly kind: 'atomic' }
  | { readonly kind: 'set' }
  | { readonly kind: 'keyed'; readonly keys: readonly string[] };

export interface FieldSchema {
  /** The name in JSON. */
  readonly name: string;
  /** The protobuf field number. */
  readonly number: number;
  /**
   * A message, or `string bool int32 int64 bytes Time MicroTime Quantity IntOrString`; `FieldsV1` and
   * `RawExtension` are any JSON object.
   */
  readonly type: string;
  /** Set when `type` names a message. */
  readonly message: MessageSchema | undefined;
  readonly repeated: boolean;
  readonly map: boolean;
  /** The message's fields stand in the parent's JSON object. */
  readonly inline: boolean;
  /** Zero and absent differ. */
  readonly pointer: boolean;
  /** patchStrategy merge: lists merge by `mergeKey`, or as sets of primitives when there is none. */
  readonly merge: { readonly key: string | undefined } | undefined;
  readonly retainKeys: boolean;
  readonly topology: ApplyTopology;
}

export interface MessageSchema {
  /** `core.v1.ServiceSpec`. */
  readonly name: string;
  /** By JSON name, inlined messages' fields included. */
  readonly fields: ReadonlyMap<string, FieldSchema>;
  /** By protobuf number, inlined messages as one field. */
  readonly byNumber: ReadonlyMap<number, FieldSchema>;
  /** Server-side apply takes it as one value. */
  readonly atomic: boolean;
}

interface MutableMessage extends MessageSchema {
  readonly fields: Map<string, FieldSchema>;
  readonly byNumber: Map<number, FieldSchema>;
}

const messages = parseTable(FIELD_TABLE);

/** The schema of a message that is known to be in the table. */
export function messageSchema(name: string): MessageSchema {
  const message = messages.get(name);
  if (message === undefined) throw new Error(`no message ${name} in the field table`);
  return message;
}

/** The Go struct's name: `ServiceSpec`. */
export function structName(message: MessageSchema): string {
  return message.name.slice(message.name.lastIndexOf('.') + 1);
}

function parseTable(text: string): ReadonlyMap<string, MessageSchema> {
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const table = new Map<string, MutableMessage>();
  for (const [head = ''] of rows) {
    const [name = '', atomic] = head.split('!');
    table.set(name, {
      name,
      fields: new Map(),
      byNumber: new Map(),
      atomic: atomic === 'atomic',
    });
  }
  for (const [head = '', ...fields] of rows) {
    const message = table.get(head.split('!')[0] ?? '');
    for (const field of fields.map((word) => parseField(word, table)))
      message?.byNumber.set(field.number, field);
  }
  for (const message of table.values()) addFields(message.fields, message);
  return table;
}

function addFields(target: Map<string, FieldSchema>, message: MessageSchema): void {
  for (const field of message.byNumber.values()) {
    if (field.inline && field.message !== undefined) addFields(target, field.message);
    else target.set(field.name, field);
  }
}

function parseField(word: string, table: ReadonlyMap<string, MessageSchema>): FieldSchema {
  const [name = '', number = '', type = '', flagText = ''] = word.split(':');
  const flags = new Map(
    flagText.split(',').map((flag) => {
      const [key = '', value = ''] = flag.split('=');
      return [key, value] as const;
    }),
  );
  const mergeKey = flags.get('merge');
  return {
    name,
    number: Number(number),
    type,
    message: table.get(type),
    repeated: flags.has('r'),
    map: flags.has('m'),
    inline: flags.has('i'),
    pointer: flags.has('p'),
    merge: mergeKey === undefined ? undefined : { key: mergeKey === '' ? undefined : mergeKey },
    retainKeys: flags.has('retainKeys'),
    topology: applyTopology(flags, table.get(type)),
  };
}

function applyTopology(
  flags: ReadonlyMap<string, string>,
  message: MessageSchema | undefined,
): ApplyTopology {
  const keys = flags.get('keys');
  if (keys !== undefined) return { kind: 'keyed', keys: keys.split('+') };
  if (flags.has('set')) return { kind: 'set' };
  const atomic = flags.has('atomic') || flags.has('r') || message?.atomic === true;
  return { kind: atomic ? 'atomic' : 'granular' };
}

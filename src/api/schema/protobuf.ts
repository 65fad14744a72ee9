import { isJsonObject, type JsonObject, setOwn } from '../json.ts';
import { ProtobufError, type WireValue, wireFields } from './protobuf-reader.ts';
import { type FieldSchema, type MessageSchema, messageSchema } from './schema.ts';

/** `application/vnd.kubernetes.protobuf` bodies begin so (runtime/serializer/protobuf). */
const MAGIC = Buffer.from('k8s\0');
const MAX_DEPTH = 64;

export interface ProtobufEnvelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The object itself, of the kind's message. */
  readonly raw: Buffer;
}

/** Unwraps runtime.Unknown. Throws a {@link ProtobufError}. */
export function readEnvelope(body: Buffer): ProtobufEnvelope {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC))
    throw new ProtobufError('provided data does not appear to be a protobuf message');
  let apiVersion = '';
  let kind = '';
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, value } of wireFields(body.subarray(MAGIC.length))) {
    if (value.kind !== 'bytes') continue;
    if (number === 2) raw = value.value;
    if (number === 1)
      for (const meta of wireFields(value.value)) {
        if (meta.value.kind !== 'bytes') continue;
        if (meta.number === 1) apiVersion = meta.value.value.toString();
        if (meta.number === 2) kind = meta.value.value.toString();
      }
  }
  return { apiVersion, kind, raw };
}

/**
 * A protobuf object as the JSON it stands for. Zero scalars are left out where Go has no pointer: gogo writes
 * them always, and JSON would not have them.
 */
export function decodeProtobuf(messageName: string, raw: Buffer): JsonObject {
  return decodeMessage(messageSchema(messageName), raw, 0);
}

function decodeMessage(message: MessageSchema, raw: Buffer, depth: number): JsonObject {
  if (depth > MAX_DEPTH) throw new ProtobufError('nested too deep');
  const output: JsonObject = {};
  for (const { number, value } of wireFields(raw)) {
    const field = message.byNumber.get(number);
    if (field !== undefined) decodeField(output, field, value, depth);
  }
  return output;
}

function decodeField(
  output: JsonObject,
  field: FieldSchema,
  value: WireValue,
  depth: number,
): void {
  if (field.inline && field.message !== undefined) {
    Object.assign(output, decodeMessage(field.message, bytes(value, field), depth + 1));
    return;
  }
  if (field.map) {
    const map = isJsonObject(output[field.name]) ? (output[field.name] as JsonObject) : {};
    output[field.name] = map;
    const [key, item] = decodeEntry(field, bytes(value, field), depth);
    setOwn(map, key, item);
    return;
  }
  const decoded = decodeValue(field, value, depth);
  if (field.repeated) {
    const list = output[field.name];
    if (Array.isArray(list)) list.push(decoded);
    else output[field.name] = [decoded];
  } else if (field.pointer || !isZero(decoded)) output[field.name] = decoded;
}

function decodeEntry(field: FieldSchema, raw: Buffer, depth: number): [string, unknown] {
  let key = '';
  let item: unknown = field.message === undefined ? '' : {};
  for (const { number, value } of wireFields(raw)) {
    if (number === 1) key = bytes(value, field).toString();
    if (number === 2) item = decodeValue(field, value, depth);
  }
  return [key, item];
}

function decodeValue(field: FieldSchema, value: WireValue, depth: number): unknown {
  if (field.message !== undefined)
    return decodeMessage(field.message, bytes(value, field), depth + 1);
  switch (field.type) {
    case 'bool':
      return varint(value, field) !== 0n;
    case 'int32':
    case 'int64':
      return Number(BigInt.asIntN(64, varint(value, field)));
    case 'bytes':
      return bytes(value, field).toString('base64');
    case 'Time':
    case 'MicroTime':
      return decodeTime(bytes(value, field), field.type === 'MicroTime');
    case 'Quantity':
      return textOf(bytes(value, field), 1);
    case 'IntOrString':
      return decodeIntOrString(bytes(value, field));
    case 'FieldsV1':
    case 'RawExtension':
      return decodeJson(bytes(value, field));
    default:
      return bytes(value, field).toString();
  }
}

function decodeTime(raw: Buffer, micro: boolean): string | null {
  let seconds = 0n;
  let nanos = 0;
  for (const { number, value } of wireFields(raw)) {
    if (value.kind !== 'varint') continue;
    if (number === 1) seconds = BigInt.asIntN(64, value.value);
    if (number === 2) nanos = Number(BigInt.asIntN(32, value.value));
  }
  if (seconds === 0n && nanos === 0) return null;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) throw new ProtobufError('timestamp out of range');
  const base = date.toISOString().slice(0, 19);
  const fraction = `.${String(Math.floor(nanos / 1000)).padStart(6, '0')}`;
  return `${base}${micro ? fraction : ''}Z`;
}

function decodeIntOrString(raw: Buffer): number | string {
  let isString = false;
  let number = 0;
  let text = '';
  for (const field of wireFields(raw)) {
    if (field.number === 1 && field.value.kind === 'varint') isString = field.value.value === 1n;
    if (field.number === 2 && field.value.kind === 'varint')
      number = Number(BigInt.asIntN(32, field.value.value));
    if (field.number === 3 && field.value.kind === 'bytes') text = field.value.value.toString();
  }
  return isString ? text : number;
}

function decodeJson(raw: Buffer): unknown {
  const text = textOf(raw, 1);
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtobufError('an embedded object is not JSON');
  }
}

function textOf(raw: Buffer, number: number): string {
  let text = '';
  for (const field of wireFields(raw))
    if (field.number === number && field.value.kind === 'bytes')
      text = field.value.value.toString();
  return text;
}

function bytes(value: WireValue, field: FieldSchema): Buffer {
  if (value.kind !== 'bytes') throw new ProtobufError(`wrong wire type for field ${field.name}`);
  return value.value;
}

function varint(value: WireValue, field: FieldSchema): bigint {
  if (value.kind !== 'varint') throw new ProtobufError(`wrong wire type for field ${field.name}`);
  return value.value;
}

function isZero(value: unknown): boolean {
  return value === 0 || value === '' || value === false || value === null;
}

import { cloneJson, equalJson, isJsonObject, type JsonObject } from '../json.ts';
import type { MessageSchema } from '../schema/schema.ts';
import type { KubeObject, ManagedFieldsEntry, StatusCause } from '../types/meta.ts';
import { mergeApplied, removeFields } from './apply-merge.ts';
import {
  difference,
  differenceOf,
  type FieldTree,
  intersection,
  isEmptyTree,
  leafPaths,
  rootSchema,
  treeOf,
  union,
} from './field-tree.ts';

/** Who writes, and how; together they name one entry of managedFields. */
export interface Writer {
  readonly manager: string;
  readonly apiVersion: string;
  /** RFC 3339. */
  readonly time: string;
  readonly subresource?: string | undefined;
}

/** Belongs to the server or names the object: nobody's field. */
const NOBODYS_METADATA = new Set([
  'name',
  'namespace',
  'uid',
  'selfLink',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'generateName',
]);

/** After a plain write: the writer owns what it changed, the others lose it (managedfields Update). */
export function trackUpdate(
  message: MessageSchema,
  before: KubeObject | undefined,
  after: KubeObject,
  writer: Writer,
): ManagedFieldsEntry[] {
  const schema = rootSchema(message);
  const { changed, removed } = differenceOf(
    before === undefined ? {} : ownable(before, writer.subresource),
    ownable(after, writer.subresource),
    schema,
  );
  const lost = union(changed, removed);
  const entries = after.metadata.managedFields ?? [];
  if (isEmptyTree(lost)) return entries;
  const mine = entries.find((entry) => isEntryOf(entry, writer, 'Update'));
  const others = entries
    .filter((entry) => entry !== mine)
    .map((entry) => withFields(entry, difference(fieldsOf(entry), lost)));
  const fields = union(difference(mine === undefined ? {} : fieldsOf(mine), removed), changed);
  return clean([...others, entryOf(writer, 'Update', fields)]);
}

export type ApplyOutcome =
  | { readonly kind: 'merged'; readonly object: JsonObject; readonly entries: ManagedFieldsEntry[] }
  | { readonly kind: 'conflict'; readonly causes: readonly StatusCause[] };

/**
 * Server-side apply (KEP-555): what the configuration says is merged in and owned by the manager; what it
 * said before and says no longer goes, unless someone else owns it; what others own and it would change is a
 * conflict, or taken over by force.
 */
export function applyConfiguration(
  message: MessageSchema,
  live: KubeObject | undefined,
  configuration: JsonObject,
  writer: Writer,
  force: boolean,
): ApplyOutcome {
  const schema = rootSchema(message);
  const applied = ownable(configuration as JsonObject & KubeObject, writer.subresource);
  const fields = treeOf(applied, schema);
  const base: JsonObject = live === undefined ? {} : { ...live };
  const entries = live?.metadata.managedFields ?? [];
  const mine = entries.find((entry) => isEntryOf(entry, writer, 'Apply'));
  let others = entries.filter((entry) => entry !== mine);
  const merged = mergeApplied(base, configuration, schema);
  const { changed } = differenceOf(
    live === undefined ? {} : ownable(live, writer.subresource),
    ownable(merged as JsonObject & KubeObject, writer.subresource),
    schema,
  );
  const causes = others.flatMap((entry) =>
    conflictCauses(entry, intersection(fieldsOf(entry), changed)),
  );
  if (causes.length > 0 && !force) return { kind: 'conflict', causes };
  others = others.map((entry) => withFields(entry, difference(fieldsOf(entry), changed)));
  let dropped = difference(mine === undefined ? {} : fieldsOf(mine), fields);
  for (const entry of others) dropped = difference(dropped, fieldsOf(entry));
  const object = removeFields(merged, dropped, schema);
  const before = mine !== undefined && equalJson(fieldsOf(mine), fields) ? mine : undefined;
  return {
    kind: 'merged',
    object: isJsonObject(object) ? object : {},
    entries: clean([...others, before ?? entryOf(writer, 'Apply', fields)]),
  };
}

function conflictCauses(entry: ManagedFieldsEntry, fields: FieldTree): StatusCause[] {
  const who = entry.operation === 'Update' ? ` using ${entry.apiVersion}` : '';
  return leafPaths(fields).map((field) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${JSON.stringify(entry.manager ?? '')}${who}`,
    field,
  }));
}

/** The part of an object whose fields have owners; the status belongs to writes of the status only. */
function ownable(object: KubeObject, subresource: string | undefined): JsonObject {
  const {
    apiVersion: _apiVersion,
    kind: _kind,
    metadata,
    ...rest
  } = cloneJson(object) as KubeObject & JsonObject;
  if (subresource === 'status') return { status: rest['status'] ?? {} };
  delete rest['status'];
  const kept = Object.fromEntries(
    Object.entries(metadata ?? {}).filter(([key]) => !NOBODYS_METADATA.has(key)),
  );
  return Object.keys(kept).length === 0 ? rest : { metadata: kept, ...rest };
}

function isEntryOf(
  entry: ManagedFieldsEntry,
  writer: Writer,
  operation: 'Apply' | 'Update',
): boolean {
  return (
    entry.manager === writer.manager &&
    entry.operation === operation &&
    entry.apiVersion === writer.apiVersion &&
    (entry.subresource ?? '') === (writer.subresource ?? '')
  );
}

function fieldsOf(entry: ManagedFieldsEntry): FieldTree {
  return (entry.fieldsV1 ?? {}) as FieldTree;
}

function withFields(entry: ManagedFieldsEntry, fields: FieldTree): ManagedFieldsEntry {
  return { ...entry, fieldsV1: fields };
}

function entryOf(
  writer: Writer,
  operation: 'Apply' | 'Update',
  fields: FieldTree,
): ManagedFieldsEntry {
  return {
    manager: writer.manager,
    operation,
    apiVersion: writer.apiVersion,
    time: writer.time,
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(writer.subresource === undefined ? {} : { subresource: writer.subresource }),
  };
}

/** Managers without fields are none; Apply entries stand first. */
function clean(entries: readonly ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const kept = entries.filter((entry) => !isEmptyTree(fieldsOf(entry)));
  return [
    ...kept.filter(({ operation }) => operation === 'Apply'),
    ...kept.filter(({ operation }) => operation !== 'Apply'),
  ];
}

import { equalJson, isJsonObject, type JsonObject, setOwn } from '../json.ts';
import type { FieldSchema, MessageSchema } from '../schema/schema.ts';

/**
 * A set of fields in the form of FieldsV1 (structured-merge-diff): `f:name` a member, `k:{…}` a list item by
 * its keys, `v:…` a member of a set, `.` the thing itself. An empty tree below a key is a leaf.
 */
export type FieldTree = { [key: string]: FieldTree };

/** One step into a value: its key in the tree and what lies there. */
export interface Child {
  readonly key: string;
  readonly value: unknown;
  readonly schema: ValueSchema;
}

/** What is known about the value at some place. */
export interface ValueSchema {
  readonly message: MessageSchema | undefined;
  /** Set where the value is a list or a map of this field. */
  readonly field: FieldSchema | undefined;
  readonly atomic: boolean;
}

export function rootSchema(message: MessageSchema): ValueSchema {
  return { message, field: undefined, atomic: false };
}

/** The parts of a value that are owned one by one; undefined for one that is owned as a whole. */
export function childrenOf(value: unknown, schema: ValueSchema): readonly Child[] | undefined {
  if (schema.atomic) return undefined;
  if (Array.isArray(value)) return listChildren(value, schema);
  if (!isJsonObject(value)) return undefined;
  return Object.keys(value).map((name) => ({
    key: `f:${name}`,
    value: value[name],
    schema: memberSchema(schema, name),
  }));
}

function memberSchema(schema: ValueSchema, name: string): ValueSchema {
  if (schema.field?.map === true)
    return { message: schema.field.message, field: undefined, atomic: false };
  const field = schema.message?.fields.get(name);
  if (field === undefined) return { message: undefined, field: undefined, atomic: false };
  const isCollection = field.repeated || field.map;
  return {
    message: isCollection ? undefined : field.message,
    field: isCollection ? field : undefined,
    atomic:
      field.topology.kind === 'atomic' ||
      field.type === 'FieldsV1' ||
      field.type === 'RawExtension' ||
      (!isCollection && field.message?.atomic === true),
  };
}

function listChildren(list: readonly unknown[], schema: ValueSchema): readonly Child[] | undefined {
  const { field } = schema;
  if (field?.topology.kind === 'set')
    return list.map((item) => ({
      key: `v:${JSON.stringify(item)}`,
      value: item,
      schema: { message: undefined, field: undefined, atomic: true },
    }));
  if (field?.topology.kind !== 'keyed') return undefined;
  const { keys } = field.topology;
  return list.map((item) => ({
    key: itemKey(item, keys, field),
    value: item,
    schema: { message: field.message, field: undefined, atomic: false },
  }));
}

/** `k:{"containerPort":80,"protocol":"TCP"}`; the one default among the keys is a port's protocol. */
function itemKey(item: unknown, keys: readonly string[], field: FieldSchema): string {
  const identity: JsonObject = {};
  for (const key of keys.toSorted()) {
    const value = isJsonObject(item) ? item[key] : undefined;
    const isProtocol = key === 'protocol' && field.name === 'ports';
    if (value !== undefined) identity[key] = value;
    else if (isProtocol) identity[key] = 'TCP';
  }
  return `k:${JSON.stringify(identity)}`;
}

/** Every field a value has. */
export function treeOf(value: unknown, schema: ValueSchema): FieldTree {
  const children = childrenOf(value, schema);
  if (children === undefined) return {};
  const tree: FieldTree = {};
  for (const child of children) {
    const below = treeOf(child.value, child.schema);
    setOwn(tree, child.key, isListItem(child.key) ? { '.': {}, ...below } : below);
  }
  return tree;
}

function isListItem(key: string): boolean {
  return key.startsWith('k:');
}

export interface TreeDifference {
  /** Added or with another value. */
  readonly changed: FieldTree;
  readonly removed: FieldTree;
}

/** Which fields differ between two versions of a value. */
export function differenceOf(before: unknown, after: unknown, schema: ValueSchema): TreeDifference {
  const changed: FieldTree = {};
  const removed: FieldTree = {};
  const old = new Map((childrenOf(before, schema) ?? []).map((child) => [child.key, child]));
  for (const child of childrenOf(after, schema) ?? []) {
    const previous = old.get(child.key);
    old.delete(child.key);
    if (previous === undefined) {
      const below = treeOf(child.value, child.schema);
      setOwn(changed, child.key, isListItem(child.key) ? { '.': {}, ...below } : below);
    } else if (!equalJson(previous.value, child.value)) {
      const inner = differenceOf(previous.value, child.value, child.schema);
      const whole =
        childrenOf(child.value, child.schema) === undefined ||
        childrenOf(previous.value, child.schema) === undefined;
      if (whole) setOwn(changed, child.key, {});
      else {
        if (!isEmptyTree(inner.changed)) setOwn(changed, child.key, inner.changed);
        if (!isEmptyTree(inner.removed)) setOwn(removed, child.key, inner.removed);
      }
    }
  }
  for (const child of old.values()) {
    const below = treeOf(child.value, child.schema);
    setOwn(removed, child.key, isListItem(child.key) ? { '.': {}, ...below } : below);
  }
  return { changed, removed };
}

export function isEmptyTree(tree: FieldTree): boolean {
  return Object.keys(tree).length === 0;
}

export function union(a: FieldTree, b: FieldTree): FieldTree {
  const result: FieldTree = { ...a };
  for (const [key, below] of Object.entries(b))
    setOwn(result, key, Object.hasOwn(a, key) ? union(a[key] ?? {}, below) : below);
  return result;
}

/** The leaves of `a` that `b` has too, or that lie below a leaf of `b`. */
export function intersection(a: FieldTree, b: FieldTree): FieldTree {
  const result: FieldTree = {};
  for (const [key, below] of Object.entries(a)) {
    const other = Object.hasOwn(b, key) ? b[key] : undefined;
    if (other === undefined) continue;
    if (isEmptyTree(below) || isEmptyTree(other)) setOwn(result, key, below);
    else {
      const inner = intersection(below, other);
      if (!isEmptyTree(inner)) setOwn(result, key, inner);
    }
  }
  return result;
}

/** `a` without the leaves of `b`. */
export function difference(a: FieldTree, b: FieldTree): FieldTree {
  const result: FieldTree = {};
  for (const [key, below] of Object.entries(a)) {
    const other = Object.hasOwn(b, key) ? b[key] : undefined;
    if (other === undefined) setOwn(result, key, below);
    else if (!isEmptyTree(other) && !isEmptyTree(below)) {
      const inner = difference(below, other);
      if (!isEmptyTree(inner)) setOwn(result, key, inner);
    }
  }
  return result;
}

/** Every leaf as text: `.spec.containers[name="web"].image`. */
export function leafPaths(tree: FieldTree, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([key, below]) => {
    if (key === '.') return [];
    const path = `${prefix}${describeKey(key)}`;
    const deeper = leafPaths(below, path);
    return deeper.length === 0 ? [path] : deeper;
  });
}

function describeKey(key: string): string {
  const rest = key.slice(2);
  if (key.startsWith('f:')) return `.${rest}`;
  if (key.startsWith('v:')) return `[=${rest}]`;
  const identity: unknown = JSON.parse(rest);
  const parts = Object.entries(isJsonObject(identity) ? identity : {}).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`,
  );
  return `[${parts.join(',')}]`;
}

import { cloneJson, isJsonObject, type JsonObject, setOwn } from '../json.ts';
import type { FieldSchema, MessageSchema } from '../schema/schema.ts';

/** A patch that makes no sense for the object; the API server answers 422. */
export class StrategicMergeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StrategicMergeError';
  }
}

const PATCH = '$patch';
const RETAIN_KEYS = '$retainKeys';
const SET_ORDER = '$setElementOrder/';
const DELETE_PRIMITIVES = '$deleteFromPrimitiveList/';

/**
 * Kubernetes' strategic merge patch (apimachinery/pkg/util/strategicpatch): like RFC 7386, but lists with a
 * merge key merge item by item, and `$patch`, `$retainKeys`, `$setElementOrder/…` and
 * `$deleteFromPrimitiveList/…` direct it. Returns a new object.
 */
export function strategicMergePatch(
  message: MessageSchema,
  target: JsonObject,
  patch: JsonObject,
): JsonObject {
  return mergeMap(target, patch, message);
}

function mergeMap(
  target: JsonObject,
  patch: JsonObject,
  message: MessageSchema | undefined,
): JsonObject {
  const directive = patch[PATCH];
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw new StrategicMergeError(`Unknown patch type found: ${JSON.stringify(directive)}`);
  const result: JsonObject = {};
  const retained = patch[RETAIN_KEYS];
  for (const key of Object.keys(target))
    if (!Array.isArray(retained) || retained.includes(key))
      setOwn(result, key, cloneJson(target[key]));
  for (const key of Object.keys(patch)) {
    if (key.startsWith('$')) continue;
    mergeMember(result, key, patch[key], message?.fields.get(key));
  }
  applyListDirectives(result, patch, message);
  return result;
}

function mergeMember(
  result: JsonObject,
  key: string,
  value: unknown,
  field: FieldSchema | undefined,
): void {
  if (value === null) {
    delete result[key];
    return;
  }
  const current = Object.hasOwn(result, key) ? result[key] : undefined;
  if (isJsonObject(value)) {
    const inner = field?.map === true ? undefined : field?.message;
    setOwn(result, key, mergeMap(isJsonObject(current) ? current : {}, value, inner));
  } else if (Array.isArray(value))
    setOwn(result, key, mergeList(Array.isArray(current) ? current : [], value, field));
  else setOwn(result, key, value);
}

function mergeList(
  current: readonly unknown[],
  patch: readonly unknown[],
  field: FieldSchema | undefined,
): unknown[] {
  if (field?.merge === undefined) return withoutMarkers(patch);
  const { key } = field.merge;
  if (key === undefined) return [...new Set([...current, ...patch])];
  if (patch.some((item) => isJsonObject(item) && item[PATCH] === 'replace' && !(key in item)))
    return withoutMarkers(patch);
  const items = current.map(cloneJson);
  for (const item of patch) mergeItem(items, item, key, field);
  return items;
}

function mergeItem(items: unknown[], item: unknown, key: string, field: FieldSchema): void {
  if (!isJsonObject(item))
    throw new StrategicMergeError(
      `expected an object in ${field.name}, found ${JSON.stringify(item)}`,
    );
  if (item[key] === undefined) {
    throw new StrategicMergeError(
      `map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`,
    );
  }
  const index = items.findIndex((other) => isJsonObject(other) && other[key] === item[key]);
  const found = index === -1 ? undefined : items[index];
  if (item[PATCH] === 'delete') {
    if (index !== -1) items.splice(index, 1);
  } else if (!isJsonObject(found)) items.push(mergeMap({}, item, field.message));
  else items[index] = mergeMap(found, item, field.message);
}

function applyListDirectives(
  result: JsonObject,
  patch: JsonObject,
  message: MessageSchema | undefined,
): void {
  for (const [key, value] of Object.entries(patch)) {
    if (!Array.isArray(value)) continue;
    if (key.startsWith(DELETE_PRIMITIVES)) {
      const name = key.slice(DELETE_PRIMITIVES.length);
      const list = result[name];
      if (Array.isArray(list)) result[name] = list.filter((item) => !value.includes(item));
    }
    if (key.startsWith(SET_ORDER)) {
      const name = key.slice(SET_ORDER.length);
      const list = result[name];
      if (Array.isArray(list)) result[name] = ordered(list, value, message?.fields.get(name));
    }
  }
}

/**
 * Items the order names stand in that order; an item it does not know (the server's own) keeps its place
 * relative to the known ones before it.
 */
function ordered(
  list: readonly unknown[],
  order: readonly unknown[],
  field: FieldSchema | undefined,
): unknown[] {
  const key = field?.merge?.key;
  const identity = (item: unknown): unknown =>
    key !== undefined && isJsonObject(item) ? item[key] : item;
  const rank = new Map(order.map((item, index) => [identity(item), index]));
  const known = list
    .filter((item) => rank.has(identity(item)))
    .toSorted((a, b) => (rank.get(identity(a)) ?? 0) - (rank.get(identity(b)) ?? 0));
  const result: unknown[] = [];
  for (const item of list)
    if (rank.has(identity(item))) result.push(known.shift());
    else result.push(item);
  return result;
}

function withoutMarkers(list: readonly unknown[]): unknown[] {
  return list
    .filter((item) => !isJsonObject(item) || Object.keys(item).some((key) => key !== PATCH))
    .map((item) => (isJsonObject(item) ? withoutDirectives(item) : item));
}

/** A patch that replaces is a plain object, apart from its directives and nulls. */
function withoutDirectives(patch: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$') || value === null) continue;
    if (isJsonObject(value)) setOwn(result, key, withoutDirectives(value));
    else setOwn(result, key, Array.isArray(value) ? withoutMarkers(value) : value);
  }
  return result;
}

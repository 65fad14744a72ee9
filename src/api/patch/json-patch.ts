import { cloneJson, equalJson, isJsonObject, type JsonObject, setOwn } from '../json.ts';

/** A patch that cannot be applied; the API server answers 422. */
export class JsonPatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JsonPatchError';
  }
}

/** More operations in one patch are refused (jsonpatch limits of the API server). */
const MAX_OPERATIONS = 10_000;

/** RFC 6902. Returns a new document; all operations apply, or none. */
export function jsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new JsonPatchError('a JSON patch is a list of operations');
  if (patch.length > MAX_OPERATIONS)
    throw new JsonPatchError(
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  let result = cloneJson(document);
  for (const operation of patch) result = applyOperation(result, operation);
  return result;
}

function applyOperation(document: unknown, operation: unknown): unknown {
  if (!isJsonObject(operation)) throw new JsonPatchError('an operation is an object');
  const path = pointer(operation['path'], 'path');
  switch (operation['op']) {
    case 'add':
      return add(document, path, cloneJson(operation['value']));
    case 'remove':
      return remove(document, path);
    case 'replace':
      return add(remove(document, path), path, cloneJson(operation['value']));
    case 'move': {
      const from = pointer(operation['from'], 'from');
      const value = get(document, from);
      return add(remove(document, from), path, value);
    }
    case 'copy':
      return add(document, path, cloneJson(get(document, pointer(operation['from'], 'from'))));
    case 'test':
      if (!equalJson(get(document, path), operation['value']))
        throw new JsonPatchError(`testing value /${path.join('/')} failed`);
      return document;
    default:
      throw new JsonPatchError(`Unexpected kind: ${JSON.stringify(operation['op'])}`);
  }
}

/** RFC 6901. */
function pointer(text: unknown, member: string): string[] {
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/')))
    throw new JsonPatchError(`${member} is not a JSON pointer: ${JSON.stringify(text)}`);
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function missing(path: readonly string[]): JsonPatchError {
  return new JsonPatchError(`doc is missing path: /${path.join('/')}: missing value`);
}

function get(document: unknown, path: readonly string[]): unknown {
  let current = document;
  for (const part of path) {
    if (Array.isArray(current)) current = current[arrayIndex(part, current.length - 1, path)];
    else if (isJsonObject(current) && Object.hasOwn(current, part)) current = current[part];
    else throw missing(path);
  }
  return current;
}

function parentOf(document: unknown, path: readonly string[]): JsonObject | unknown[] {
  const parent = get(document, path.slice(0, -1));
  if (Array.isArray(parent) || isJsonObject(parent)) return parent;
  throw missing(path);
}

function add(document: unknown, path: readonly string[], value: unknown): unknown {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = parentOf(document, path);
  if (Array.isArray(parent)) {
    const index = last === '-' ? parent.length : arrayIndex(last, parent.length, path);
    parent.splice(index, 0, value);
  } else setOwn(parent, last, value);
  return document;
}

function remove(document: unknown, path: readonly string[]): unknown {
  const last = path.at(-1);
  if (last === undefined) return null;
  const parent = parentOf(document, path);
  if (Array.isArray(parent)) parent.splice(arrayIndex(last, parent.length - 1, path), 1);
  else if (Object.hasOwn(parent, last)) delete parent[last];
  else throw missing(path);
  return document;
}

function arrayIndex(part: string, max: number, path: readonly string[]): number {
  const index = /^(?:0|[1-9]\d*)$/.test(part) ? Number(part) : -1;
  if (index < 0 || index > max) throw missing(path);
  return index;
}

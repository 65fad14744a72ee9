import { isAlias, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml';
import { isJsonObject, type JsonObject } from './json.ts';
import { findKind, type ServedKind } from './kinds.ts';

/** Where in the user's input something stands. */
export interface ManifestPosition {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** One object of a manifest, of a kind that is served. Not yet validated. */
export interface ManifestObject {
  readonly position: ManifestPosition;
  readonly served: ServedKind;
  readonly object: JsonObject;
}

export interface ManifestError {
  readonly position: ManifestPosition;
  /** The field at fault, where one is. */
  readonly field?: string;
  readonly message: string;
}

export interface Manifest {
  readonly objects: readonly ManifestObject[];
  /** What could not be used; the objects are good without it. */
  readonly errors: readonly ManifestError[];
}

/** Anchors may be repeated this often: a manifest cannot explode (yaml's maxAliasCount). */
const MAX_ALIASES = 100;
const MAX_DEPTH = 64;

/** Reads YAML or JSON with any number of documents; a List is taken apart, of one kind (`ServiceList`) or of any. */
export function parseManifest(text: string, file: string): Manifest {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
  });
  const objects: ManifestObject[] = [];
  const errors: ManifestError[] = [];
  for (const document of Array.isArray(documents) ? documents : []) {
    const start = document.contents?.range?.[0] ?? document.range[0];
    const position = { file, line: lines.linePos(start).line };
    const [problem] = document.errors;
    if (problem !== undefined) {
      errors.push({
        position: { file, line: lines.linePos(problem.pos[0]).line },
        message: problem.message,
      });
      continue;
    }
    if (nestingOf(document.contents) > MAX_DEPTH) {
      errors.push({ position, message: `nested deeper than ${MAX_DEPTH} levels` });
      continue;
    }
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
    if (value !== null && value !== undefined) collect(value, position, objects, errors);
  }
  return { objects, errors };
}

function collect(
  value: unknown,
  position: ManifestPosition,
  objects: ManifestObject[],
  errors: ManifestError[],
): void {
  if (!isJsonObject(value)) {
    errors.push({ position, message: 'expected an object with apiVersion and kind' });
    return;
  }
  const { apiVersion, kind } = value;
  for (const [field, content] of [
    ['apiVersion', apiVersion],
    ['kind', kind],
  ] as const)
    if (typeof content !== 'string' || content === '') {
      errors.push({
        position,
        field,
        message: 'Required value: it says what kind of object this is',
      });
      return;
    }
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(value['items'])) {
    // The API's own lists name the kind of their items once, in the list's.
    const shared = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) };
    for (const item of value['items'])
      collect(isJsonObject(item) ? { ...shared, ...item } : item, position, objects, errors);
    return;
  }
  const served = findKind(String(apiVersion), String(kind));
  if (served === undefined)
    errors.push({
      position,
      field: 'kind',
      message: `no matches for kind "${String(kind)}" in version "${String(apiVersion)}"`,
    });
  else objects.push({ position, served, object: value });
}

/** The deepest nesting, aliases aside. */
function nestingOf(root: unknown): number {
  let deepest = 0;
  if (typeof root !== 'object' || root === null || isScalar(root) || isAlias(root)) return deepest;
  visit(root as Parameters<typeof visit>[0], {
    Node(_key, _node, path) {
      deepest = Math.max(deepest, path.length);
    },
  });
  return deepest;
}

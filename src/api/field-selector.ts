import { valueAt } from './json.ts';
import type { KindDefinition } from './kind.ts';
import type { KubeObject } from './types/meta.ts';

/** `path=value` or `path!=value`. */
export interface FieldRequirement {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}

/**
 * Parses `spec.nodeName=node-1,status.phase!=Failed` for one kind. Throws an Error, with the API server's
 * words, for a path the kind does not offer.
 */
export function parseFieldSelector(text: string, kind: KindDefinition): FieldRequirement[] {
  return text
    .split(',')
    .filter((term) => term.trim() !== '')
    .map((term) => {
      const match = /^([^=!]+)(!=|==|=)(.*)$/.exec(term.trim());
      if (match === null)
        throw new Error(`invalid selector: '${text}'; can't understand '${term}'`);
      const [, path = '', operator, value = ''] = match;
      if (!isSelectable(path, kind)) throw new Error(`field label not supported: ${path}`);
      return { path, equal: operator !== '!=', value };
    });
}

export function matchesFields(
  requirements: readonly FieldRequirement[],
  object: KubeObject,
  kind: KindDefinition,
): boolean {
  return requirements.every(
    ({ path, equal, value }) => (fieldText(object, path, kind) === value) === equal,
  );
}

function isSelectable(path: string, kind: KindDefinition): boolean {
  return (
    path === 'metadata.name' ||
    (path === 'metadata.namespace' && kind.namespaced) ||
    Object.hasOwn(kind.selectableFields ?? {}, path)
  );
}

/** A selectable field as text; the kind says what an absent one reads as. */
function fieldText(object: KubeObject, path: string, kind: KindDefinition): string {
  const value = valueAt(object, path.split('.'));
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return kind.selectableFields?.[path] ?? '';
}

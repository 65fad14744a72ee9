import { cloneJson, equalJson, isJsonObject } from '../../api/json.ts';
import type { PodTemplateSpec } from '../../api/types/core.ts';

export const POD_TEMPLATE_HASH = 'pod-template-hash';

/** No vowels and no digits that look like letters (rand.SafeEncodeString). */
const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * A short name for the content of a template or revision: FNV-1a over its JSON with sorted keys. `collisions`
 * gives another name for the same content, where the first is taken by other content. The real controllers
 * hash a Go dump, so the names differ from theirs.
 */
export function contentHash(content: unknown, collisions = 0): string {
  let hash = 0x811c_9dc5;
  const text = `${canonical(content)}${collisions === 0 ? '' : collisions}`;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193);
  return Array.from(String(hash >>> 0), (digit) => SAFE[digit.charCodeAt(0) % SAFE.length]).join(
    '',
  );
}

/** Equality of templates, the hash label aside. */
export function sameTemplate(
  a: PodTemplateSpec | undefined,
  b: PodTemplateSpec | undefined,
): boolean {
  return equalJson(withoutHash(a), withoutHash(b));
}

/** A copy with the hash label set. */
export function withHash(template: PodTemplateSpec, hash: string): PodTemplateSpec {
  const copy = cloneJson(template);
  copy.metadata = {
    ...copy.metadata,
    labels: { ...copy.metadata?.labels, [POD_TEMPLATE_HASH]: hash },
  };
  return copy;
}

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec | undefined {
  if (template?.metadata?.labels?.[POD_TEMPLATE_HASH] === undefined) return template;
  const { [POD_TEMPLATE_HASH]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value) ?? 'null';
  const members = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${members.join(',')}}`;
}

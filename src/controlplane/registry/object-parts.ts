import { cloneJson } from '../../api/json.ts';
import type { KubeObject } from '../../api/types/meta.ts';

function statusOf(object: KubeObject): unknown {
  return 'status' in object ? object.status : undefined;
}

/** Gives `target` a copy of the status of `from`. */
export function copyStatus(target: KubeObject, from: KubeObject): void {
  const status = statusOf(from);
  if (status === undefined) delete (target as { status?: unknown }).status;
  else (target as { status?: unknown }).status = cloneJson(status);
}

/** What a write to the status subresource makes of `current`. */
export function withStatusOf(current: KubeObject, input: KubeObject): KubeObject {
  const next = cloneJson(current);
  (next as { status?: unknown }).status = statusOf(input) ?? {};
  if (input.metadata.managedFields !== undefined)
    next.metadata.managedFields = input.metadata.managedFields;
  return next;
}

/** Everything but metadata and status. */
export function specOf(object: KubeObject): object {
  const {
    metadata: _metadata,
    status: _status,
    ...spec
  } = object as KubeObject & {
    status?: unknown;
  };
  return spec;
}

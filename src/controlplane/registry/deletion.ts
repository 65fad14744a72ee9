import { cloneJson } from '../../api/json.ts';
import type { KindDefinition } from '../../api/kind.ts';
import type { KubeObject, ObjectMeta } from '../../api/types/meta.ts';
import { formatTimestamp } from '../../base/timestamp.ts';
import type { DeleteRequest } from './write-options.ts';

/** metav1.FinalizerOrphanDependents and FinalizerDeleteDependents. */
const PROPAGATION_FINALIZERS: Readonly<Record<string, string>> = {
  Orphan: 'orphan',
  Foreground: 'foregroundDeletion',
};

/** rest.BeforeDelete: when the object will be gone, and what has to happen before. A copy. */
export function markDeleted(
  current: KubeObject,
  request: DeleteRequest,
  kind: KindDefinition,
  nowMs: number,
): KubeObject {
  const marked = cloneJson(current);
  const { metadata } = marked;
  const ownGrace = kind.gracePeriodSeconds?.(current) ?? 0;
  const possible = ownGrace === 0 ? 0 : (request.gracePeriodSeconds ?? ownGrace);
  const grace = Math.max(0, Math.min(possible, metadata.deletionGracePeriodSeconds ?? possible));
  if (
    metadata.deletionTimestamp === undefined ||
    grace < (metadata.deletionGracePeriodSeconds ?? 0)
  ) {
    if (kind.hasGeneration && metadata.deletionTimestamp === undefined)
      metadata.generation = (metadata.generation ?? 0) + 1;
    metadata.deletionTimestamp = formatTimestamp(nowMs + grace * 1000);
    metadata.deletionGracePeriodSeconds = grace;
  }
  setPropagation(metadata, request.propagationPolicy);
  kind.markDeleted?.(marked);
  return marked;
}

/** A policy that is asked for takes the place of one that was asked for before. */
function setPropagation(metadata: ObjectMeta, policy: string | undefined): void {
  const finalizer = PROPAGATION_FINALIZERS[policy ?? ''];
  const others = (metadata.finalizers ?? []).filter(
    (name) => policy === undefined || !isPropagationFinalizer(name),
  );
  const finalizers = finalizer === undefined ? others : [...others, finalizer];
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
}

function isPropagationFinalizer(name: string): boolean {
  return Object.values(PROPAGATION_FINALIZERS).includes(name);
}

/** A deleted object leaves when nobody waits for it any more. */
export function isFinished(object: KubeObject, kind: KindDefinition): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  return (
    deletionTimestamp !== undefined &&
    finalizers.length === 0 &&
    deletionGracePeriodSeconds === 0 &&
    kind.blocksDeletion?.(object) !== true
  );
}

import { groupResource, type KindDefinition } from '../../api/kind.ts';
import type { Condition, KubeObject } from '../../api/types/meta.ts';
import { formatTimestamp } from '../../base/timestamp.ts';

/** What a deleted namespace still holds, by kind. */
export type Remaining = ReadonlyMap<KindDefinition, readonly KubeObject[]>;

/** Why a namespace is still there, as `kubectl describe` shows it (namespace/deletion/status_condition_utils.go). */
export function deletionConditions(
  remaining: Remaining,
  before: readonly Condition[] = [],
  nowMs: number,
): Condition[] {
  const resources = [...remaining]
    .map(([kind, objects]) => `${qualifiedName(kind)} has ${objects.length} resource instances`)
    .toSorted();
  const finalizers = [...countFinalizers(remaining)]
    .map(([name, count]) => `${name} in ${count} resource instances`)
    .toSorted();
  const wanted = [
    condition(
      'NamespaceDeletionDiscoveryFailure',
      'False',
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ),
    condition(
      'NamespaceDeletionGroupVersionParsingFailure',
      'False',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    condition(
      'NamespaceDeletionContentFailure',
      'False',
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ),
    resources.length === 0
      ? condition(
          'NamespaceContentRemaining',
          'False',
          'ContentRemoved',
          'All content successfully removed',
        )
      : condition(
          'NamespaceContentRemaining',
          'True',
          'SomeResourcesRemain',
          `Some resources are remaining: ${resources.join(', ')}`,
        ),
    finalizers.length === 0
      ? condition(
          'NamespaceFinalizersRemaining',
          'False',
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        )
      : condition(
          'NamespaceFinalizersRemaining',
          'True',
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`,
        ),
  ];
  return wanted.map((next) => {
    const old = before.find(({ type }) => type === next.type);
    const same = old?.status === next.status && old.reason === next.reason;
    const since = same ? old.lastTransitionTime : undefined;
    return { ...next, lastTransitionTime: since ?? formatTimestamp(nowMs) };
  });
}

function condition(
  type: string,
  status: 'True' | 'False',
  reason: string,
  message: string,
): Condition {
  return { type, status, reason, message };
}

/** `pods.` and `deployments.apps`: upstream's own way. */
function qualifiedName(kind: KindDefinition): string {
  const { group, resource } = groupResource(kind);
  return `${resource}.${group}`;
}

function countFinalizers(remaining: Remaining): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const objects of remaining.values())
    for (const { metadata } of objects)
      for (const name of metadata.finalizers ?? []) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

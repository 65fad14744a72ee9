import { equalJson } from '../../api/json.ts';
import type { Deployment, ReplicaSet } from '../../api/types/apps.ts';
import { MAX_ANNOTATION, rolloutBounds } from './deployment-scaling.ts';
import { controllerReference } from './pod-facts.ts';
import { POD_TEMPLATE_HASH, sameTemplate, withHash } from './template-hash.ts';

export const REVISION_ANNOTATION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY_ANNOTATION = 'deployment.kubernetes.io/revision-history';
export const DESIRED_ANNOTATION = 'deployment.kubernetes.io/desired-replicas';
/** The Deployment's own, never its ReplicaSets'. */
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION_ANNOTATION,
  REVISION_HISTORY_ANNOTATION,
  DESIRED_ANNOTATION,
  MAX_ANNOTATION,
  'deprecated.deployment.rollback.to',
]);

export function revisionOf(object: Deployment | ReplicaSet): number {
  return Number(object.metadata.annotations?.[REVISION_ANNOTATION] ?? 0);
}

/** The set made from the current template; the oldest, should there be several. */
export function findNewSet(
  deployment: Deployment,
  sets: readonly ReplicaSet[],
): ReplicaSet | undefined {
  return sets
    .toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1,
    )
    .find((set) => sameTemplate(set.spec.template, deployment.spec.template));
}

export function nextRevision(oldSets: readonly ReplicaSet[]): number {
  return Math.max(0, ...oldSets.map(revisionOf)) + 1;
}

/** A set for the current template that does not exist yet. */
export function makeSet(
  deployment: Deployment,
  hash: string,
  revision: number,
  replicas: number,
): ReplicaSet {
  const { metadata, spec } = deployment;
  const template = withHash(spec.template, hash);
  const selector = structuredClone(spec.selector);
  selector.matchLabels = { ...selector.matchLabels, [POD_TEMPLATE_HASH]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${metadata.name}-${hash}`,
      namespace: metadata.namespace ?? '',
      labels: { ...template.metadata?.labels },
      annotations: {
        ...copiedAnnotations(deployment),
        ...sizeAnnotations(deployment),
        [REVISION_ANNOTATION]: String(revision),
      },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
      selector,
      template,
    },
  };
}

/** The annotations the set should have; the same object when nothing changes. */
export function setAnnotations(
  deployment: Deployment,
  set: ReplicaSet,
  revision: number,
): Record<string, string> {
  const current = set.metadata.annotations ?? {};
  const next: Record<string, string> = { ...current, ...copiedAnnotations(deployment) };
  const before = revisionOf(set);
  if (before < revision) {
    if (before > 0)
      next[REVISION_HISTORY_ANNOTATION] = [current[REVISION_HISTORY_ANNOTATION], String(before)]
        .filter((part) => part !== undefined && part !== '')
        .join(',');
    next[REVISION_ANNOTATION] = String(revision);
  }
  return equalJson(next, current) ? current : next;
}

/** What sets remember about the deployment's size, so that a change of it is noticed. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const { replicas = 0 } = deployment.spec;
  return {
    [DESIRED_ANNOTATION]: String(replicas),
    [MAX_ANNOTATION]: String(replicas + rolloutBounds(deployment).maxSurge),
  };
}

function copiedAnnotations(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !NOT_COPIED.has(key)),
  );
}

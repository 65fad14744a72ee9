import { equalJson } from '../../api/json.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { ControllerRevision } from '../../api/types/apps.ts';
import type { PodTemplateSpec } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Client } from '../client/client.ts';
import { controllerOf, controllerReference } from './pod-facts.ts';
import { contentHash } from './template-hash.ts';

/** On pods and revisions: which template they are of. */
export const REVISION_HASH_LABEL = 'controller-revision-hash';
/** history.ControllerRevisionHashLabel: on the revisions of StatefulSets. */
const STATEFUL_SET_HASH_LABEL = 'controller.kubernetes.io/hash';

/** A DaemonSet or StatefulSet, as far as its history goes. */
export interface RevisionOwner extends KubeObject {
  spec: { template: PodTemplateSpec; revisionHistoryLimit?: number };
}

/** The template of an owner as its revisions keep it: a patch that `kubectl rollout undo` applies. */
function revisionData(owner: RevisionOwner): Record<string, unknown> {
  return { spec: { template: { ...owner.spec.template, $patch: 'replace' } } };
}

export function revisionsOf(
  owner: RevisionOwner,
  all: readonly ControllerRevision[],
): ControllerRevision[] {
  return all
    .filter((revision) => controllerOf(revision)?.uid === owner.metadata.uid)
    .toSorted((a, b) => a.revision - b.revision);
}

/** The revision of the present template: an equal one is reused and becomes the newest (realizes undo). */
export async function ensureRevision(
  owner: RevisionOwner,
  history: readonly ControllerRevision[],
  client: Client,
): Promise<ControllerRevision> {
  const data = revisionData(owner);
  const newest = history.at(-1);
  const equal = history.findLast((revision) => equalJson(revision.data, data));
  const next = (newest?.revision ?? 0) + 1;
  if (equal !== undefined) {
    if (equal === newest) return equal;
    return client.resource('controllerrevisions').update({ ...equal, revision: next });
  }
  const hash = contentHash(owner.spec.template);
  const revision: ControllerRevision = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      namespace: owner.metadata.namespace ?? '',
      labels: { ...owner.spec.template.metadata?.labels, [hashLabelOf(owner)]: hash },
      annotations: { ...owner.metadata.annotations },
      ownerReferences: [controllerReference(owner)],
    },
    data,
    revision: next,
  };
  return client.resource('controllerrevisions').create(revision);
}

/** Of a revision, or of the one that a pod is of. */
export function revisionHash({ metadata }: KubeObject): string {
  const { labels } = metadata;
  return labels?.[REVISION_HASH_LABEL] ?? labels?.[STATEFUL_SET_HASH_LABEL] ?? '';
}

function hashLabelOf({ kind }: RevisionOwner): string {
  return kind === 'StatefulSet' ? STATEFUL_SET_HASH_LABEL : REVISION_HASH_LABEL;
}

/** The template a revision keeps. */
export function revisionTemplate(revision: ControllerRevision): PodTemplateSpec {
  const data = revision.data as { spec: { template: PodTemplateSpec & { $patch?: string } } };
  const { $patch: _patch, ...template } = data.spec.template;
  return template;
}

/** Old revisions beyond the limit go; those in use stay. */
export async function trimRevisions(
  owner: RevisionOwner,
  history: readonly ControllerRevision[],
  inUse: ReadonlySet<string>,
  client: Client,
): Promise<void> {
  const unused = history.filter((revision) => !inUse.has(revisionHash(revision)));
  const limit = owner.spec.revisionHistoryLimit ?? 10;
  for (const revision of unused.slice(0, Math.max(0, unused.length - limit)))
    try {
      await client
        .resource('controllerrevisions')
        .delete(revision.metadata.name ?? '', revision.metadata.namespace);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
}

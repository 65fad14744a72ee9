import { ApiError } from '../../api/api-error.ts';
import { type LabelRequirements, matchesLabels } from '../../api/label-selector.ts';
import type { Pod } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Client } from '../client/client.ts';
import type { InformerIndex } from '../client/informer-index.ts';
import type { Informer } from '../client/informer.ts';
import { controllerOf, controllerReference, isPodActive } from './pod-facts.ts';

/**
 * The pods of a controller object, kept in step with its selector: orphans that match are adopted, pods that
 * no longer match are released (controller.PodControllerRefManager).
 */
export async function claimPods(
  owner: KubeObject,
  selector: LabelRequirements,
  candidates: readonly Pod[],
  client: Client,
): Promise<Pod[]> {
  const claimed: Pod[] = [];
  for (const pod of candidates) {
    const controller = controllerOf(pod);
    const matches = matchesLabels(selector, pod.metadata.labels);
    if (controller?.uid === owner.metadata.uid) {
      if (matches) claimed.push(pod);
      else if (owner.metadata.deletionTimestamp === undefined) await release(owner, pod, client);
    } else if (controller === undefined && matches && isPodActive(pod)) {
      const adopted = await adopt(owner, pod, client);
      if (adopted !== undefined) claimed.push(adopted);
    }
  }
  return claimed;
}

async function adopt(owner: KubeObject, pod: Pod, client: Client): Promise<Pod | undefined> {
  if (owner.metadata.deletionTimestamp !== undefined) return undefined;
  const { name = '', namespace, uid = '' } = pod.metadata;
  return ignoreGone(
    client.resource('pods').patch(name, namespace, {
      type: 'strategic',
      body: { metadata: { uid, ownerReferences: [controllerReference(owner)] } },
    }),
  );
}

async function release(owner: KubeObject, pod: Pod, client: Client): Promise<void> {
  const { name = '', namespace, uid = '' } = pod.metadata;
  await ignoreGone(
    client.resource('pods').patch(name, namespace, {
      type: 'strategic',
      body: {
        metadata: { uid, ownerReferences: [{ $patch: 'delete', uid: owner.metadata.uid }] },
      },
    }),
  );
}

async function ignoreGone(patched: Promise<Pod>): Promise<Pod | undefined> {
  try {
    return await patched;
  } catch (error) {
    if (error instanceof ApiError && (error.reason === 'NotFound' || error.reason === 'Conflict'))
      return undefined;
    throw error;
  }
}

/** Owner uids, and the namespace of pods without a controller: where a workload finds its candidates. */
export function podOwnerKeys(pod: Pod): readonly string[] {
  const owner = controllerOf(pod);
  return [owner === undefined ? `orphans of ${pod.metadata.namespace}` : owner.uid];
}

export function podCandidates(owner: KubeObject, pods: InformerIndex<Pod>): readonly Pod[] {
  return [
    ...pods.get(owner.metadata.uid ?? ''),
    ...pods.get(`orphans of ${owner.metadata.namespace}`),
  ];
}

/** Calls `enqueue` for whichever owners of this kind a pod change concerns. */
export function watchOwnedPods<T extends KubeObject>(
  pods: Informer<Pod>,
  owners: Pick<Informer<T>, 'get' | 'list'>,
  kind: string,
  selects: (owner: T, pod: Pod) => boolean,
  enqueue: (owner: T) => void,
): () => void {
  const ownerOf = (pod: Pod | undefined): T | undefined => {
    const reference = pod === undefined ? undefined : controllerOf(pod);
    if (reference?.kind !== kind) return undefined;
    const owner = owners.get(reference.name, pod?.metadata.namespace);
    return owner?.metadata.uid === reference.uid ? owner : undefined;
  };
  return pods.subscribe((current, previous) => {
    for (const owner of new Set([ownerOf(current), ownerOf(previous)]))
      if (owner !== undefined) enqueue(owner);
    if (current === undefined || controllerOf(current) !== undefined) return;
    for (const owner of owners.list())
      if (owner.metadata.namespace === current.metadata.namespace && selects(owner, current))
        enqueue(owner);
  });
}

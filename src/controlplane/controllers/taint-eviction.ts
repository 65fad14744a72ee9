import { isApiError } from '../../api/status-errors.ts';
import type { Node, Pod, Taint } from '../../api/types/core.ts';
import type { Resource } from '../../base/lifetime.ts';
import { InformerIndex } from '../client/informer-index.ts';
import { toleratesTaint } from '../scheduler/predicates.ts';
import { type ReconcileResult, startController } from './controller.ts';
import {
  type ControllerContext,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';
import { isPodActive } from './pod-facts.ts';

/** Deletes pods from nodes whose NoExecute taints they do not, or no longer, tolerate (tainteviction). */
export function startTaintEvictionController(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'taint-eviction-controller');
  const nodes = informers.of('nodes');
  const pods = informers.of('pods');
  const podsByNode = new InformerIndex(pods, (pod) =>
    pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName],
  );

  return startController({
    name: 'taint-eviction-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      pods.subscribe((current, previous) => {
        if (current !== undefined && current.spec.nodeName !== previous?.spec.nodeName)
          queue.add(objectKey(current));
      }),
      nodes.subscribe((current) => {
        if (current === undefined || noExecuteTaints(current).length === 0) return;
        for (const pod of podsByNode.get(current.metadata.name ?? '')) queue.add(objectKey(pod));
      }),
      () => podsByNode.close(),
    ],
    reconcile,
  });

  async function reconcile(key: string): Promise<ReconcileResult | undefined> {
    const { namespace, name } = splitKey(key);
    const pod = pods.get(name, namespace);
    const node = pod?.spec.nodeName === undefined ? undefined : nodes.get(pod.spec.nodeName);
    if (pod === undefined || node === undefined || !isPodActive(pod)) return undefined;
    const afterMs = evictionInMs(pod, noExecuteTaints(node), clock.wallNow());
    if (afterMs === undefined) return undefined;
    if (afterMs > 0) return { afterMs };
    tools.events.record(
      pod,
      'Normal',
      'TaintManagerEviction',
      `Marking for deletion Pod ${namespace}/${name}`,
    );
    try {
      await tools.client
        .resource('pods')
        .delete(name, namespace, { preconditions: { uid: pod.metadata.uid ?? '' } });
    } catch (error) {
      if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
    }
    return undefined;
  }
}

function noExecuteTaints(node: Node): Taint[] {
  return (node.spec.taints ?? []).filter(({ effect }) => effect === 'NoExecute');
}

/** When the pod must go: 0 now, undefined never. Each taint allows the shortest of its tolerations. */
function evictionInMs(pod: Pod, taints: readonly Taint[], nowMs: number): number | undefined {
  let earliest: number | undefined;
  for (const taint of taints) {
    const tolerations = (pod.spec.tolerations ?? []).filter((toleration) =>
      toleratesTaint(toleration, taint),
    );
    if (tolerations.length === 0) return 0;
    const limits = tolerations.flatMap(({ tolerationSeconds }) =>
      tolerationSeconds === undefined ? [] : [tolerationSeconds],
    );
    if (limits.length === 0) continue;
    const since = taint.timeAdded === undefined ? nowMs : Date.parse(taint.timeAdded);
    const due = Math.max(0, since + Math.max(0, Math.min(...limits)) * 1000 - nowMs);
    earliest = Math.min(earliest ?? due, due);
  }
  return earliest;
}

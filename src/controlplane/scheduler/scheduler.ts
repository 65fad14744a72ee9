import { isApiError } from '../../api/status-errors.ts';
import type { Pod, PodCondition } from '../../api/types/core.ts';
import type { Resource } from '../../base/lifetime.ts';
import { type ReconcileResult, startController } from '../controllers/controller.ts';
import {
  type ControllerContext,
  controllerTools,
  objectKey,
  splitKey,
} from '../controllers/controller-context.ts';
import { isPodFinished } from '../controllers/pod-facts.ts';
import { placePod } from './placement.ts';
import type { NodeInfo } from './predicates.ts';
import { formatTimestamp } from '../../base/timestamp.ts';

const SCHEDULER_NAME = 'default-scheduler';
/** A pod that fits nowhere is looked at again this often, besides whenever something changes. */
const RETRY_MS = 30_000;

/** Gives pods without a node one: one pod at a time, each decision seeing all earlier ones. */
export function startScheduler(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, SCHEDULER_NAME);
  const pods = informers.of('pods');
  const nodes = informers.of('nodes');
  const namespaces = informers.of('namespaces');
  /** Bound by us, though the informer does not show it yet. */
  const assumed = new Map<string, string>();
  const waiting = new Set<string>();
  /** Those of them that another pod's arrival could help. */
  const wantingCompany = new Set<string>();

  return startController({
    name: 'scheduler',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => {
      const retry = (keys: ReadonlySet<string>): void => {
        for (const key of keys) queue.add(key);
      };
      return [
        pods.subscribe((current, previous) => {
          if (current === undefined) {
            if (previous !== undefined) forget(previous);
            retry(waiting);
            return;
          }
          if (isAssigned(current)) {
            assumed.delete(current.metadata.uid ?? '');
            // What a finished pod had is free; one that came, or has other labels, may be company.
            retry(isPodFinished(current) ? waiting : wantingCompany);
          } else if (needsNode(current)) queue.add(objectKey(current));
        }),
        nodes.subscribe((current) => {
          if (current !== undefined) retry(waiting);
        }),
      ];
    },
    reconcile,
  });

  function forget(pod: Pod): void {
    assumed.delete(pod.metadata.uid ?? '');
    stopWaiting(objectKey(pod));
  }

  function stopWaiting(key: string): void {
    waiting.delete(key);
    wantingCompany.delete(key);
  }

  async function reconcile(key: string): Promise<ReconcileResult | undefined> {
    const { namespace, name } = splitKey(key);
    const pod = pods.get(name, namespace);
    stopWaiting(key);
    if (pod === undefined || !needsNode(pod) || assumed.has(pod.metadata.uid ?? ''))
      return undefined;
    const placement = placePod(pod, nodeInfos(), (home) => namespaces.get(home)?.metadata.labels);
    if (placement.kind === 'node') {
      await bind(pod, placement.name);
      return undefined;
    }
    waiting.add(key);
    if (pod.spec.affinity?.podAffinity !== undefined) wantingCompany.add(key);
    await reportUnschedulable(pod, placement.message);
    return { afterMs: RETRY_MS };
  }

  async function bind(pod: Pod, nodeName: string): Promise<void> {
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    assumed.set(uid, nodeName);
    try {
      await tools.client.bind({ name, namespace }, nodeName);
    } catch (error) {
      assumed.delete(uid);
      if (isApiError(error, 'NotFound')) return;
      throw error;
    }
    tools.events.record(
      pod,
      'Normal',
      'Scheduled',
      `Successfully assigned ${namespace}/${name} to ${nodeName}`,
    );
  }

  async function reportUnschedulable(pod: Pod, message: string): Promise<void> {
    tools.events.record(pod, 'Warning', 'FailedScheduling', message);
    const before = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    if (before?.message === message) return;
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastProbeTime: null,
      lastTransitionTime: before?.lastTransitionTime ?? formatTimestamp(clock.wallNow()),
    };
    try {
      await tools.client.resource('pods').patch(pod.metadata.name ?? '', pod.metadata.namespace, {
        type: 'strategic',
        body: { status: { conditions: [condition] } },
        subresource: 'status',
      });
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  function nodeInfos(): NodeInfo[] {
    const byNode = new Map<string, Pod[]>();
    for (const pod of pods.list()) {
      if (isPodFinished(pod)) continue;
      const nodeName = pod.spec.nodeName ?? assumed.get(pod.metadata.uid ?? '');
      if (nodeName === undefined) continue;
      const list = byNode.get(nodeName);
      if (list === undefined) byNode.set(nodeName, [pod]);
      else list.push(pod);
    }
    return nodes
      .list()
      .filter((node) => node.metadata.deletionTimestamp === undefined)
      .map((node) => ({ node, pods: byNode.get(node.metadata.name ?? '') ?? [] }));
  }
}

function isAssigned(pod: Pod): boolean {
  return (pod.spec.nodeName ?? '') !== '';
}

function needsNode(pod: Pod): boolean {
  return (
    !isAssigned(pod) &&
    pod.metadata.deletionTimestamp === undefined &&
    !isPodFinished(pod) &&
    (pod.spec.schedulingGates ?? []).length === 0 &&
    (pod.spec.schedulerName ?? SCHEDULER_NAME) === SCHEDULER_NAME
  );
}

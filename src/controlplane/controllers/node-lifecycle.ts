import { equalJson } from '../../api/json.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { Node, NodeCondition, Pod, Taint } from '../../api/types/core.ts';
import type { Resource } from '../../base/lifetime.ts';
import { formatTimestamp } from '../../base/timestamp.ts';
import { InformerIndex } from '../client/informer-index.ts';
import { type ReconcileResult, startController } from './controller.ts';
import { type ControllerContext, controllerTools } from './controller-context.ts';
import { isPodFinished, podCondition } from './pod-facts.ts';
import { type Evictions, evictionsByZone } from './zone-disruption.ts';

const LEASE_NAMESPACE = 'kube-node-lease';
const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
const LOST = new Set([NOT_READY, UNREACHABLE]);
const MANAGED_TAINTS = new Set([...LOST, UNSCHEDULABLE]);
/** Conditions a kubelet reports; unknown once it is silent. */
const REPORTED = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

/** The last sign of life of a node, on our own clock. */
interface SignOfLife {
  readonly renewTime: string;
  readonly seenAtMs: number;
}

/**
 * Watches the nodes' heartbeats: a silent node becomes Unknown, its pods unready, and both are tainted for
 * the taint eviction controller to act on (pkg/controller/nodelifecycle).
 */
export function startNodeLifecycleController(context: ControllerContext): Resource {
  const { informers, clock, logger, nodeLifecycle: config } = context;
  const tools = controllerTools(context, 'node-controller');
  const nodes = informers.of('nodes');
  const leases = informers.of('leases');
  const pods = informers.of('pods');
  const podsByNode = new InformerIndex(pods, (pod) =>
    pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName],
  );
  const signs = new Map<string, SignOfLife>();

  return startController({
    name: 'node-lifecycle-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      nodes.subscribe((current, previous) => {
        const node = current ?? previous;
        if (node === undefined) return;
        if (current !== undefined && previous === undefined)
          tools.events.record(
            current,
            'Normal',
            'RegisteredNode',
            `Node ${current.metadata.name} event: Registered Node ${current.metadata.name} in Controller`,
          );
        if (current === undefined) signs.delete(node.metadata.name ?? '');
        queue.add(node.metadata.name ?? '');
      }),
      leases.subscribe((current) => {
        if (current?.metadata.namespace === LEASE_NAMESPACE) queue.add(current.metadata.name ?? '');
      }),
      () => podsByNode.close(),
    ],
    reconcile,
  });

  async function reconcile(name: string): Promise<ReconcileResult | undefined> {
    const node = nodes.get(name);
    if (node === undefined) {
      for (const pod of podsByNode.get(name)) await removeForGood(pod);
      return undefined;
    }
    const silentMs = clock.now() - signOf(node).seenAtMs;
    const isSilent = silentMs >= config.gracePeriodMs;
    const conditions = isSilent
      ? unknownConditions(node, clock.wallNow())
      : node.status?.conditions;
    if (isSilent && !equalJson(conditions, node.status?.conditions))
      await markUnknown(node, conditions ?? []);
    const now: Node = { ...node, status: { ...node.status, conditions: conditions ?? [] } };
    const evictions = evictionsByZone(nodes.list().map((other) => (other === node ? now : other)));
    const taints = wantedTaints(now, evictions(now), clock.wallNow());
    if (!equalJson(taints, node.spec.taints ?? [])) await writeTaints(node, taints);
    if (readiness(now) !== 'True') await markPodsUnready(node);
    return {
      afterMs: isSilent ? config.monitorPeriodMs : Math.max(1, config.gracePeriodMs - silentMs),
    };
  }

  /** A renewed lease or a new status is a sign of life; when it was sent does not matter. */
  function signOf(node: Node): SignOfLife {
    const name = node.metadata.name ?? '';
    const lease = leases.get(name, LEASE_NAMESPACE)?.spec?.renewTime ?? '';
    const beat = node.status?.conditions?.find(({ type }) => type === 'Ready');
    // Our own verdict is not a heartbeat.
    const status = beat?.status === 'Unknown' ? '' : (beat?.lastHeartbeatTime ?? '');
    const renewTime = `${lease} ${status}`;
    const known = signs.get(name);
    if (known?.renewTime === renewTime) return known;
    const isOnlyOurVerdict =
      known !== undefined && renewTime === `${lease} ` && known.renewTime.startsWith(`${lease} `);
    const sign = { renewTime, seenAtMs: isOnlyOurVerdict ? known.seenAtMs : clock.now() };
    signs.set(name, sign);
    return sign;
  }

  async function markUnknown(node: Node, conditions: NodeCondition[]): Promise<void> {
    logger.info({ node: node.metadata.name }, 'node is silent');
    await tools.client
      .resource('nodes')
      .updateStatus({ ...node, status: { ...node.status, conditions } });
    tools.events.record(
      node,
      'Normal',
      'NodeNotReady',
      `Node ${node.metadata.name} status is now: NodeNotReady`,
    );
  }

  async function writeTaints(node: Node, taints: Taint[]): Promise<void> {
    const { resourceVersion: _version, ...metadata } = node.metadata;
    await tools.client.resource('nodes').patch(metadata.name ?? '', undefined, {
      type: 'merge',
      body: { spec: { taints: taints.length === 0 ? null : taints } },
    });
  }

  async function markPodsUnready(node: Node): Promise<void> {
    for (const pod of podsByNode.get(node.metadata.name ?? '')) {
      const ready = podCondition(pod, 'Ready');
      if (ready?.status !== 'True' || isPodFinished(pod)) continue;
      const now = formatTimestamp(clock.wallNow());
      const conditions = (pod.status?.conditions ?? []).map((condition) =>
        condition.type === 'Ready'
          ? { ...condition, status: 'False' as const, lastTransitionTime: now }
          : condition,
      );
      await ignoreGone(
        tools.client
          .resource('pods')
          .updateStatus({ ...pod, status: { ...pod.status, conditions } }),
      );
      tools.events.record(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
    }
  }

  /** Its node is gone for good: nobody else will finish the deletion (podgc). */
  async function removeForGood(pod: Pod): Promise<void> {
    const { name = '', namespace, uid = '' } = pod.metadata;
    await ignoreGone(
      tools.client
        .resource('pods')
        .delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } }),
    );
  }
}

function readiness({ status }: Node): string | undefined {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status;
}

function unknownConditions(node: Node, nowMs: number): NodeCondition[] {
  const now = formatTimestamp(nowMs);
  const current = node.status?.conditions ?? [];
  const others = current.filter(({ type }) => !REPORTED.some((reported) => reported === type));
  const unknown = REPORTED.map((type): NodeCondition => {
    const before = current.find((condition) => condition.type === type);
    if (before?.status === 'Unknown') return before;
    return {
      type,
      status: 'Unknown',
      reason: before === undefined ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
      message:
        before === undefined
          ? 'Kubelet never posted node status.'
          : 'Kubelet stopped posting node status.',
      lastHeartbeatTime: before?.lastHeartbeatTime ?? now,
      lastTransitionTime: now,
    };
  });
  return [...others, ...unknown];
}

/** Others' taints stay; ours follow readiness and cordoning, keeping the time they were added. */
function wantedTaints(node: Node, evictions: Evictions, nowMs: number): Taint[] {
  const current = node.spec.taints ?? [];
  const status = readiness(node);
  const key = status === 'Unknown' ? UNREACHABLE : status === 'False' ? NOT_READY : undefined;
  const wanted: Taint[] = [];
  if (node.spec.unschedulable === true) wanted.push({ key: UNSCHEDULABLE, effect: 'NoSchedule' });
  if (key !== undefined) {
    wanted.push({ key, effect: 'NoSchedule' });
    const isEvicted = current.some((taint) => LOST.has(taint.key) && taint.effect === 'NoExecute');
    if (evictions === 'allowed' || (evictions === 'held' && isEvicted))
      wanted.push({ key, effect: 'NoExecute' });
  }
  const kept = current.filter(
    (taint) => !MANAGED_TAINTS.has(taint.key) || wanted.some((other) => sameTaint(other, taint)),
  );
  const added = wanted
    .filter((taint) => !current.some((other) => sameTaint(other, taint)))
    .map((taint) => ({ ...taint, timeAdded: formatTimestamp(nowMs) }));
  return [...kept, ...added];
}

function sameTaint(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect;
}

async function ignoreGone(done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
  }
}

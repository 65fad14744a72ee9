import { humanDuration } from '../human-duration.ts';
import { orNone, type TableColumn, type TableContext } from '../table.ts';
import type { Container, ContainerStatus, Pod } from '../types/core.ts';

/** The cells of `kubectl get pods` (pkg/printers/internalversion printPod). */
export const podColumns: readonly TableColumn<Pod>[] = [
  {
    name: 'Ready',
    description: 'The aggregate readiness state of this pod for accepting traffic.',
    cell(pod) {
      const { ready, total } = summarize(pod);
      return `${ready}/${total}`;
    },
  },
  {
    name: 'Status',
    description: 'The aggregate status of the containers in this pod.',
    cell: (pod) => summarize(pod).reason,
  },
  {
    name: 'Restarts',
    description: 'How often the containers have been restarted, and when last.',
    cell: restarts,
  },
  { name: 'Age', description: 'Time since creation.', cell: podAge },
  {
    name: 'IP',
    priority: 1,
    description: 'IP address allocated to the pod.',
    cell: (pod) => orNone(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP),
  },
  {
    name: 'Node',
    priority: 1,
    description: 'The node the pod is bound to.',
    cell: (pod) => orNone(pod.spec.nodeName),
  },
  {
    name: 'Nominated Node',
    priority: 1,
    description: 'The node the pod would get after preemption.',
    cell: (pod) => orNone(pod.status?.nominatedNodeName),
  },
  {
    name: 'Readiness Gates',
    priority: 1,
    description: 'How many of the readiness gates are met.',
    cell: readinessGates,
  },
];

interface Summary {
  readonly ready: number;
  readonly total: number;
  readonly reason: string;
  readonly restarts: number;
  readonly lastRestartMs: number | undefined;
}

function podAge(pod: Pod, { nowMs }: TableContext): string {
  const created = pod.metadata.creationTimestamp;
  return created === undefined || created === null
    ? '<unknown>'
    : humanDuration(nowMs - Date.parse(created));
}

function restarts(pod: Pod, { nowMs }: TableContext): string {
  const { restarts: count, lastRestartMs } = summarize(pod);
  if (count === 0 || lastRestartMs === undefined) return String(count);
  return `${count} (${humanDuration(nowMs - lastRestartMs)} ago)`;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const met = gates.filter((gate) =>
    pod.status?.conditions?.some(
      (condition) => condition.type === gate.conditionType && condition.status === 'True',
    ),
  );
  return `${met.length}/${gates.length}`;
}

function summarize(pod: Pod): Summary {
  const init = summarizeInit(pod);
  const main = init.blocking === undefined ? summarizeMain(pod) : undefined;
  let reason = init.blocking ?? main?.reason ?? podReason(pod);
  if (pod.metadata.deletionTimestamp !== undefined)
    reason =
      pod.status?.reason === 'NodeLost' ? 'Unknown' : isFinished(pod) ? reason : 'Terminating';
  return {
    ready: (main?.ready ?? 0) + init.ready,
    total: pod.spec.containers.length + init.sidecars,
    reason,
    restarts: (main?.restarts ?? 0) + (main === undefined ? init.restarts : init.sidecarRestarts),
    lastRestartMs: main?.lastRestartMs ?? init.lastRestartMs,
  };
}

function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

function podReason(pod: Pod): string {
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  if (scheduled?.reason === 'SchedulingGated') return 'SchedulingGated';
  return pod.status?.reason ?? pod.status?.phase ?? '';
}

function isSidecar(pod: Pod, status: ContainerStatus): boolean {
  const container: Container | undefined = pod.spec.initContainers?.find(
    ({ name }) => name === status.name,
  );
  return container?.restartPolicy === 'Always';
}

/** Walks the init containers until one of them holds the pod up. */
function summarizeInit(pod: Pod) {
  let restartCount = 0;
  let sidecarRestarts = 0;
  let ready = 0;
  let blocking: string | undefined;
  let lastRestartMs: number | undefined;
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, status] of statuses.entries()) {
    restartCount += status.restartCount;
    lastRestartMs = later(lastRestartMs, status.lastState?.terminated?.finishedAt);
    if (isSidecar(pod, status)) {
      sidecarRestarts += status.restartCount;
      if (status.started === true) {
        if (status.ready) ready += 1;
        continue;
      }
    }
    if (status.state?.terminated?.exitCode === 0) continue;
    blocking = initReason(status, index, pod.spec.initContainers?.length ?? 0);
    break;
  }
  const sidecars = (pod.spec.initContainers ?? []).filter(
    (container) => container.restartPolicy === 'Always',
  ).length;
  return { blocking, ready, sidecars, restarts: restartCount, sidecarRestarts, lastRestartMs };
}

function initReason(status: ContainerStatus, index: number, count: number): string {
  const { terminated, waiting } = status.state ?? {};
  if (terminated !== undefined) return `Init:${terminationReason(terminated)}`;
  if (
    waiting?.reason !== undefined &&
    waiting.reason !== '' &&
    waiting.reason !== 'PodInitializing'
  )
    return `Init:${waiting.reason}`;
  return `Init:${index}/${count}`;
}

function terminationReason(terminated: {
  readonly reason?: string;
  readonly signal?: number;
  readonly exitCode: number;
}): string {
  if (terminated.reason !== undefined && terminated.reason !== '') return terminated.reason;
  if (terminated.signal !== undefined && terminated.signal !== 0)
    return `Signal:${terminated.signal}`;
  return `ExitCode:${terminated.exitCode}`;
}

/** Walks the containers backwards: the first one's trouble is what is shown. */
function summarizeMain(pod: Pod) {
  let reason = podReason(pod);
  let ready = 0;
  let restartCount = 0;
  let running = false;
  let lastRestartMs: number | undefined;
  for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
    restartCount += status.restartCount;
    lastRestartMs = later(lastRestartMs, status.lastState?.terminated?.finishedAt);
    const { waiting, terminated, running: isRunning } = status.state ?? {};
    if (waiting?.reason !== undefined && waiting.reason !== '') reason = waiting.reason;
    else if (terminated !== undefined) reason = terminationReason(terminated);
    else if (status.ready && isRunning !== undefined) {
      running = true;
      ready += 1;
    }
  }
  if (reason === 'Completed' && running) reason = hasReadyCondition(pod) ? 'Running' : 'NotReady';
  return { reason, ready, restarts: restartCount, lastRestartMs };
}

function hasReadyCondition(pod: Pod): boolean {
  return (
    pod.status?.conditions?.some(
      (condition) => condition.type === 'Ready' && condition.status === 'True',
    ) ?? false
  );
}

function later(current: number | undefined, timestamp: string | undefined): number | undefined {
  if (timestamp === undefined) return current;
  const at = Date.parse(timestamp);
  return current === undefined ? at : Math.max(current, at);
}

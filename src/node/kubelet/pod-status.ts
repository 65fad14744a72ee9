import type {
  Container,
  ContainerStatus,
  Pod,
  PodCondition,
  PodPhase,
  PodStatus,
} from '../../api/types/core.ts';

/** What the kubelet knows of a pod, from which its status follows. */
export interface PodFacts {
  readonly podIP: string | undefined;
  readonly hostIP: string;
  /** RFC 3339: when this kubelet first saw the pod. */
  readonly startTime: string;
  readonly initContainers: readonly ContainerStatus[];
  readonly containers: readonly ContainerStatus[];
  /** Set when something outside the containers ended the pod, e.g. `Evicted`. */
  readonly failure?: { readonly reason: string; readonly message: string };
}

/** Phase and conditions as the kubelet reports them (pkg/kubelet/kubelet_pods.go, status/generate.go). */
export function podStatus(pod: Pod, facts: PodFacts, now: string): PodStatus {
  const phase = podPhase(pod, facts);
  return {
    phase,
    conditions: conditions(pod, facts, phase, now),
    ...facts.failure,
    hostIP: facts.hostIP,
    hostIPs: [{ ip: facts.hostIP }],
    ...(facts.podIP === undefined ? {} : { podIP: facts.podIP, podIPs: [{ ip: facts.podIP }] }),
    startTime: facts.startTime,
    ...(facts.initContainers.length > 0
      ? { initContainerStatuses: [...facts.initContainers] }
      : {}),
    containerStatuses: [...facts.containers],
    qosClass: qosClass(pod),
  };
}

export function podPhase(pod: Pod, facts: PodFacts): PodPhase {
  if (facts.failure !== undefined) return 'Failed';
  const policy = pod.spec.restartPolicy ?? 'Always';
  const initFailed = facts.initContainers.some(
    ({ state }) => state?.terminated !== undefined && state.terminated.exitCode !== 0,
  );
  if (initFailed && policy === 'Never') return 'Failed';
  if (!initDone(facts)) return 'Pending';
  const states = facts.containers.map(({ state, lastState }) => ({ state, lastState }));
  const waitingForFirstStart = states.some(
    ({ state, lastState }) => state?.waiting !== undefined && lastState?.terminated === undefined,
  );
  if (waitingForFirstStart) return 'Pending';
  const ended = states.flatMap(({ state }) => state?.terminated ?? []);
  const allEnded = ended.length === states.length;
  if (!allEnded || policy === 'Always') return 'Running';
  const allWell = ended.every(({ exitCode }) => exitCode === 0);
  if (allWell) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function initDone(facts: PodFacts): boolean {
  return facts.initContainers.every(({ state }) => state?.terminated?.exitCode === 0);
}

function conditions(pod: Pod, facts: PodFacts, phase: PodPhase, now: string): PodCondition[] {
  const unready = facts.containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const containersReady = readiness(phase, unready);
  const gate = (pod.spec.readinessGates ?? []).find(
    ({ conditionType }) =>
      pod.status?.conditions?.find(({ type }) => type === conditionType)?.status !== 'True',
  );
  const ready =
    containersReady.status === 'True' && gate !== undefined
      ? {
          status: 'False' as const,
          reason: 'ReadinessGatesNotReady',
          message: `corresponding condition of pod readiness gate "${gate.conditionType}" does not exist.`,
        }
      : containersReady;
  const incomplete = facts.initContainers
    .filter(({ state }) => state?.terminated?.exitCode !== 0)
    .map(({ name }) => name);
  const initialized =
    incomplete.length === 0
      ? { status: 'True' as const, ...(phase === 'Succeeded' ? { reason: 'PodCompleted' } : {}) }
      : {
          status: 'False' as const,
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${incomplete.join(' ')}]`,
        };
  const own: PodCondition[] = [
    { type: 'PodReadyToStartContainers', status: facts.podIP === undefined ? 'False' : 'True' },
    { type: 'Initialized', ...initialized },
    { type: 'Ready', ...ready },
    { type: 'ContainersReady', ...containersReady },
  ];
  const before = pod.status?.conditions ?? [];
  const foreign = before.filter(({ type }) => !own.some((condition) => condition.type === type));
  return [...own.map((condition) => stamped(condition, before, now)), ...foreign];
}

function readiness(
  phase: PodPhase,
  unready: readonly string[],
): Pick<PodCondition, 'status' | 'reason' | 'message'> {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  if (unready.length === 0) return { status: 'True' };
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

/** lastTransitionTime moves only when the status does. */
function stamped(
  condition: PodCondition,
  before: readonly PodCondition[],
  now: string,
): PodCondition {
  const previous = before.find(({ type }) => type === condition.type);
  const unchanged = previous?.status === condition.status ? previous.lastTransitionTime : undefined;
  return { ...condition, lastProbeTime: null, lastTransitionTime: unchanged ?? now };
}

/** pkg/apis/core/v1/helper/qos. */
export function qosClass(pod: Pod): NonNullable<PodStatus['qosClass']> {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const amounts = containers.map(({ resources }) => ({
    limits: resources?.limits ?? {},
    requests: { ...resources?.limits, ...resources?.requests },
  }));
  const none = amounts.every(
    ({ limits, requests }) => !limitsAnything(limits) && !limitsAnything(requests),
  );
  if (none) return 'BestEffort';
  const guaranteed = amounts.every(({ limits, requests }) =>
    (['cpu', 'memory'] as const).every(
      (resource) => limits[resource] !== undefined && limits[resource] === requests[resource],
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function limitsAnything(amounts: Readonly<Record<string, string>>): boolean {
  return amounts['cpu'] !== undefined || amounts['memory'] !== undefined;
}

/** A container nobody has started yet. */
export function waitingStatus(
  container: Container,
  reason: string,
  message?: string,
): ContainerStatus {
  return {
    name: container.name,
    state: { waiting: { reason, ...(message === undefined ? {} : { message }) } },
    ready: false,
    started: false,
    restartCount: 0,
    image: container.image ?? '',
    imageID: '',
  };
}

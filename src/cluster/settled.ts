import type { Pod, Service } from '../api/types/core.ts';
import { type EndpointSlice, SERVICE_NAME_LABEL } from '../api/types/discovery.ts';
import type { KubeObject } from '../api/types/meta.ts';
import type { Clock } from '../base/clock.ts';
import type { Informers } from '../controlplane/client/informers.ts';
import { isReady, isSettled } from './cluster-summary.ts';

/** What makes pods. */
const WORKLOADS = [
  'deployments',
  'replicasets',
  'replicationcontrollers',
  'daemonsets',
  'statefulsets',
] as const;

/**
 * True once every workload has the pods it asks for, every pod is ready or has ended, and the Services' slices
 * say so; false when that takes longer than `timeoutMs`, or when `signal` aborts first.
 */
export async function awaitSettled(
  informers: Informers,
  clock: Clock,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const workloads = WORKLOADS.map((resource) => informers.of(resource));
  const pods = informers.of('pods');
  const services = informers.of('services');
  const slices = informers.of('endpointslices');
  // Before the first lists are in, nothing to wait for looks like nothing left to wait for.
  await informers.synced();
  const isNowSettled = (): boolean =>
    workloads.every((informer) => informer.list().every(hasItsPods)) &&
    pods.list().every(isSettled) &&
    endpointsFollow(services.list(), slices.list(), pods.list());
  return new Promise((resolve) => {
    const releases: (() => void)[] = [];
    let finished = false;
    const finish = (result: boolean): void => {
      finished = true;
      for (const release of releases.splice(0)) release();
      resolve(result);
    };
    const onAbort = (): void => finish(false);
    const check = (): void => {
      if (!finished && isNowSettled()) finish(true);
    };
    const timer = clock.setTimer(timeoutMs, () => finish(false));
    releases.push(() => timer.cancel());
    signal?.addEventListener('abort', onAbort, { once: true });
    releases.push(() => signal?.removeEventListener('abort', onAbort));
    for (const informer of [pods, services, slices, ...workloads])
      releases.push(informer.subscribe(() => clock.defer(check)));
    if (signal?.aborted === true) finish(false);
    else check();
  });
}

interface WorkloadView extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly readyReplicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly numberReady?: number;
  };
}

function hasItsPods(workload: KubeObject): boolean {
  const { metadata, spec, status }: WorkloadView = workload;
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return false;
  const wanted = spec?.replicas ?? status?.desiredNumberScheduled ?? 0;
  return (status?.readyReplicas ?? status?.numberReady ?? 0) >= wanted;
}

/** Every ready pod that a Service selects is a ready endpoint of it. */
function endpointsFollow(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  pods: readonly Pod[],
): boolean {
  const endpointsOf = new Map<string, Set<string>>();
  for (const { metadata, endpoints } of slices) {
    const key = `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME_LABEL]}`;
    const known = endpointsOf.get(key) ?? new Set();
    for (const { addresses, conditions } of endpoints ?? [])
      if (conditions?.ready !== false && addresses[0] !== undefined) known.add(addresses[0]);
    endpointsOf.set(key, known);
  }
  const running = pods.filter(
    (pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined,
  );
  return services.every((service) => {
    const { namespace, name } = service.metadata;
    const known = endpointsOf.get(`${namespace}/${name}`);
    return running.every(
      (pod) => !selects(service, pod) || known?.has(pod.status?.podIP ?? '') === true,
    );
  });
}

function selects({ metadata, spec }: Service, pod: Pod): boolean {
  const selector = Object.entries(spec.selector ?? {});
  return (
    selector.length > 0 &&
    metadata.namespace === pod.metadata.namespace &&
    selector.every(([key, value]) => pod.metadata.labels?.[key] === value)
  );
}

import type { KubeObject } from '../api/types/meta.ts';
import type { Clock } from '../base/clock.ts';
import type { Informers } from '../controlplane/client/informers.ts';
import { isSettled } from './cluster-summary.ts';

/** What makes pods. */
const WORKLOADS = [
  'deployments',
  'replicasets',
  'replicationcontrollers',
  'daemonsets',
  'statefulsets',
] as const;

/**
 * True once every workload has the pods it asks for and every pod is ready or has ended; false when that
 * takes longer than `timeoutMs`, or when `signal` aborts first.
 */
export function awaitSettled(
  informers: Informers,
  clock: Clock,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const pods = informers.of('pods');
  const workloads = WORKLOADS.map((resource) => informers.of(resource));
  const allSettled = (): boolean =>
    workloads.every((informer) => informer.list().every(hasItsPods)) &&
    pods.list().every(isSettled);
  return new Promise((resolve) => {
    const releases: (() => void)[] = [];
    const finish = (result: boolean): void => {
      for (const release of releases) release();
      resolve(result);
    };
    const timer = clock.setTimer(timeoutMs, () => finish(false));
    releases.push(() => timer.cancel());
    const onAbort = (): void => finish(false);
    signal?.addEventListener('abort', onAbort, { once: true });
    releases.push(() => signal?.removeEventListener('abort', onAbort));
    const check = (): void => {
      if (allSettled()) finish(true);
    };
    // Before the first lists are in, nothing to wait for looks like nothing left to wait for.
    const begin = async (): Promise<void> => {
      await informers.synced();
      for (const informer of [pods, ...workloads]) releases.push(informer.subscribe(check));
      check();
    };
    void begin();
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

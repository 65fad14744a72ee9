import { ApiError } from '../../api/api-error.ts';
import type { ConfigMap, Pod, Secret, Service } from '../../api/types/core.ts';
import type { Clock } from '../../base/clock.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import type { Client } from '../../controlplane/client/client.ts';
import type { ObjectFeed } from '../object-feed.ts';
import type { ContainerLog } from '../runtime/container-log.ts';
import type { EnvSources } from './container-env.ts';
import type { NodeIdentity } from './node-heartbeat.ts';
import { PodWorker, type PodWorkerOptions } from './pod-worker.ts';

export interface KubeletOptions
  extends Pick<
    PodWorkerOptions,
    | 'addresses'
    | 'runtimes'
    | 'podsFolder'
    | 'baseEnv'
    | 'dialPort'
    | 'record'
    | 'dns'
    | 'hostPorts'
  > {
  readonly clock: Clock;
  readonly log: Logger;
  readonly client: Client;
  readonly node: NodeIdentity;
  /** Pods of any node; others' are passed over. */
  readonly pods: ObjectFeed<Pod>;
  readonly configMaps: ObjectFeed<ConfigMap>;
  readonly secrets: ObjectFeed<Secret>;
  readonly services: ObjectFeed<Service>;
}

/** What a pod gets whose object vanished without a grace period (a forced delete). */
const FORCED_GRACE_MS = 2_000;
const DEFAULT_GRACE_SECONDS = 30;
/** What pods get when their node shuts down (the kubelet's shutdownGracePeriod, which has no default). */
const SHUTDOWN_GRACE_MS = 1_000;
/** What a kubelet reports of its node once it runs, in this order. */
const GOOD_STATES = [
  'NodeHasSufficientMemory',
  'NodeHasNoDiskPressure',
  'NodeHasSufficientPID',
  'NodeReady',
] as const;

/**
 * Runs the pods that are bound to its node and reports on them. `close` lets pods finish within a second,
 * as SIGTERM would; dispose is a power cut: nothing more is reported.
 */
export class Kubelet implements Resource {
  readonly #options: KubeletOptions;
  readonly #lifetime: Lifetime;
  readonly #workers = new Map<string, PodWorker>();
  readonly #endings = new Set<Promise<void>>();

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#lifetime = new Lifetime(`kubelet ${options.node.name}`);
  }

  /** Begins to run pods. */
  start(): void {
    const { node } = this.#options;
    this.#recordNode('Starting', 'Starting kubelet.');
    for (const state of GOOD_STATES)
      this.#recordNode(state, `Node ${node.name} status is now: ${state}`);
    this.#lifetime.defer(
      this.#options.pods.subscribe((pod, previous) => this.#onPod(pod, previous)),
    );
    for (const feed of [this.#options.configMaps, this.#options.secrets])
      this.#lifetime.defer(
        feed.subscribe((current, previous) => {
          if (current !== undefined && previous !== undefined) this.#refresh(current);
        }),
      );
  }

  /** As the kubelet refers to its node: by a name in place of the uid. */
  #recordNode(reason: string, message: string): void {
    const { name } = this.#options.node;
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name } };
    this.#options.record(node, 'Normal', reason, message);
  }

  /** What a container wrote; undefined when this node does not run it. */
  containerLog(podUid: string, container: string, previous: boolean): ContainerLog | undefined {
    return this.#workers.get(podUid)?.log(container, previous);
  }

  async close(): Promise<void> {
    await this.#lifetime.close();
    await this.#endAll(SHUTDOWN_GRACE_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
    for (const worker of this.#workers.values()) worker.mute();
    await this.#endAll(0);
  }

  async #endAll(podGraceMs: number): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.terminate(podGraceMs)));
    await Promise.all(this.#endings);
    this.#workers.clear();
  }

  #onPod(pod: Pod | undefined, previous: Pod | undefined): void {
    const uid = (pod ?? previous)?.metadata.uid ?? '';
    // A pod that was deleted and made again under the same name is another pod.
    if (previous !== undefined && pod !== undefined && previous.metadata.uid !== uid)
      this.#onPod(undefined, previous);
    const worker = this.#workers.get(uid);
    if (pod === undefined) {
      if (worker !== undefined) this.#end(uid, worker, FORCED_GRACE_MS, false);
      return;
    }
    if (pod.spec.nodeName !== this.#options.node.name) return;
    worker?.update(pod);
    if (pod.metadata.deletionTimestamp !== undefined) this.#onDeletion(pod, worker);
    else if (worker === undefined && !isTerminal(pod)) this.#begin(uid, pod);
  }

  /** Mounted files follow their ConfigMaps and Secrets. */
  #refresh(changed: ConfigMap | Secret): void {
    for (const worker of this.#workers.values())
      if (worker.pod.metadata.namespace === changed.metadata.namespace)
        this.#track(worker.refreshVolumes());
  }

  #begin(uid: string, pod: Pod): void {
    const { client, node } = this.#options;
    const worker = new PodWorker({
      ...this.#options,
      pod,
      nodeName: node.name,
      nodeIP: node.address,
      pods: client.resource('pods'),
      sources: this.#sources(pod.metadata.namespace ?? ''),
    });
    this.#workers.set(uid, worker);
  }

  #onDeletion(pod: Pod, worker: PodWorker | undefined): void {
    const uid = pod.metadata.uid ?? '';
    if (worker === undefined) {
      // It ran before the node restarted: only what the API knows is left of it.
      this.#options.addresses.release(uid);
      this.#track(this.#remove(pod));
    } else this.#end(uid, worker, graceMs(pod), true);
  }

  #end(uid: string, worker: PodWorker, grace: number, remove: boolean): void {
    if (worker.terminating) return;
    if (!remove) worker.mute();
    const ending = worker.terminate(grace).then(() => {
      this.#workers.delete(uid);
      return remove ? this.#remove(worker.pod) : undefined;
    });
    this.#track(ending);
  }

  /** The containers are gone: takes the object out of the API. */
  async #remove(pod: Pod): Promise<void> {
    const { name = '', namespace, uid } = pod.metadata;
    try {
      await this.#options.client.resource('pods').delete(name, namespace, {
        gracePeriodSeconds: 0,
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      });
    } catch (error) {
      const gone =
        error instanceof ApiError && (error.reason === 'NotFound' || error.reason === 'Conflict');
      if (!gone) throw error;
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => this.#options.log.warn({ err: error }, 'pod not ended cleanly'))
      .finally(() => this.#endings.delete(tracked));
    this.#endings.add(tracked);
  }

  #sources(namespace: string): EnvSources {
    const { configMaps, secrets, services } = this.#options;
    return {
      configMap: (name) => configMaps.get(name, namespace),
      secret: (name) => secrets.get(name, namespace),
      services: () =>
        services
          .list()
          .filter(
            ({ metadata }) =>
              metadata.namespace === namespace ||
              (metadata.namespace === 'default' && metadata.name === 'kubernetes'),
          ),
    };
  }
}

function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

function graceMs(pod: Pod): number {
  const seconds =
    pod.metadata.deletionGracePeriodSeconds ??
    pod.spec.terminationGracePeriodSeconds ??
    DEFAULT_GRACE_SECONDS;
  return seconds * 1000;
}

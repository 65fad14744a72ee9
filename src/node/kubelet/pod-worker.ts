import type { Container, ContainerStatus, Pod } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Clock } from '../../base/clock.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import { formatTimestamp } from '../../base/timestamp.ts';
import type { ResourceClient } from '../../controlplane/client/client.ts';
import {
  formatResolvConf,
  podResolvConf,
  type ResolvConf,
} from '../../dns/resolv-conf/resolv-conf.ts';
import { type HostPorts, hostPortsOf } from '../host-ports.ts';
import { BUILTIN_IMAGES, FALLBACK_IMAGE, imageBaseName } from '../images/catalogue.ts';
import { ContainerLog } from '../runtime/container-log.ts';
import type { ContainerRuntime, ContainerSpec } from '../runtime/container.ts';
import { hasRunBefore, type Resumed, resumedContainer } from './after-restart.ts';
import { containerEnv, type EnvSources, expandReferences } from './container-env.ts';
import { ContainerWorker, type RecordEvent, type RestartPolicy } from './container-worker.ts';
import { PodFolder } from './pod-folder.ts';
import { podStatus, waitingStatus } from './pod-status.ts';
import { StatusPublisher } from './status-publisher.ts';

/** Runs the pod's containers as child processes instead of built-in images. */
const RUNTIME_ANNOTATION = 'podwire.io/runtime';

/** Pod addresses of one node. */
export interface PodAddresses {
  allocate(
    owner: string,
  ):
    | { readonly kind: 'allocated'; readonly address: string }
    | { readonly kind: 'failed'; readonly message: string };
  release(owner: string): void;
}

/** kubelet --cluster-dns, --cluster-domain and --resolv-conf. */
export interface PodDns {
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly host: ResolvConf;
}

export interface PodWorkerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly pod: Pod;
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly pods: ResourceClient<Pod>;
  readonly addresses: PodAddresses;
  readonly runtimes: { readonly builtin: ContainerRuntime; readonly process: ContainerRuntime };
  readonly sources: EnvSources;
  readonly dns: PodDns;
  /** Holds the pods' folders. */
  readonly podsFolder: string;
  /** What process pods inherit, e.g. PATH. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly dialPort: (address: string, port: number) => number;
  readonly hostPorts: HostPorts;
  /** Writes an Event about an object, or about the part of it that `fieldPath` names. */
  readonly record: (
    object: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    fieldPath?: string,
  ) => void;
}

/** How long a pod waits before it asks again for an address that was not to be had. */
const ADDRESS_RETRY_MS = 5_000;

/** One pod on one node, from its assignment to its end. Owns its address, folder and containers. */
export class PodWorker {
  readonly #options: PodWorkerOptions;
  readonly #folder: PodFolder;
  readonly #publisher: StatusPublisher;
  readonly #startTime: string;
  /** By container, where the node has restarted since the pod ran. */
  readonly #resumed: ReadonlyMap<string, Resumed>;
  readonly #logs = new Map<string, { current: ContainerLog; previous?: ContainerLog }>();
  readonly #workers = new Map<string, ContainerWorker>();
  readonly #life: Promise<void>;
  readonly #stop = new AbortController();
  #pod: Pod;
  #podIP: string | undefined;
  #openPorts: Resource | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#pod = options.pod;
    this.#startTime = options.pod.status?.startTime ?? this.#now();
    this.#resumed = this.#resumedContainers();
    this.#folder = new PodFolder(options.podsFolder, this.#uid);
    this.#publisher = new StatusPublisher({
      pods: options.pods,
      pod: options.pod,
      compute: (pod) => podStatus(pod, this.#facts(), this.#now()),
      onError: (error) =>
        options.log.warn({ err: error, pod: this.#title }, 'pod status not written'),
    });
    this.#life = this.#run();
  }

  /** A newer version of the pod. The spec's containers do not change while it runs. */
  update(pod: Pod): void {
    this.#pod = pod;
    this.#publisher.observe(pod);
  }

  /** What a container of this pod wrote in this life or the one before; undefined when it had none. */
  log(container: string, previous = false): ContainerLog | undefined {
    const logs = this.#logs.get(container);
    return previous ? logs?.previous : logs?.current;
  }

  /** The newest version of the pod it was told of. */
  get pod(): Pod {
    return this.#pod;
  }

  get terminating(): boolean {
    return this.#stopping !== undefined;
  }

  /** Ends the pod: containers, then status, address and folder. Idempotent. */
  terminate(graceMs: number): Promise<void> {
    return (this.#stopping ??= this.#terminate(graceMs));
  }

  /** A ConfigMap or Secret of its namespace has changed: brings mounted files up to date. */
  async refreshVolumes(): Promise<void> {
    if (this.terminating) return;
    for (const container of this.#pod.spec.containers)
      if (this.#workers.get(container.name)?.status.state?.running !== undefined)
        await this.#folder.mount(this.#pod, container, this.#options.sources);
  }

  /** Nothing more is reported of this pod: its node has died, or its object is gone. */
  mute(): void {
    this.#publisher.mute();
  }

  get #uid(): string {
    return this.#options.pod.metadata.uid ?? '';
  }

  /** As in the kubelet's messages: name_namespace(uid). */
  get #title(): string {
    const { name, namespace } = this.#options.pod.metadata;
    return `${name}_${namespace}(${this.#uid})`;
  }

  #now(): string {
    return formatTimestamp(this.#options.clock.wallNow());
  }

  async #run(): Promise<void> {
    if (hasRunBefore(this.#pod))
      this.#record(
        'Normal',
        'SandboxChanged',
        'Pod sandbox changed, it will be killed and re-created.',
      );
    await this.#publisher.publish();
    // The API no longer says that the pod has the address of its last sandbox.
    this.#options.addresses.release(this.#uid);
    await this.#acquireAddress();
    await this.#openHostPorts();
    const policy = this.#pod.spec.restartPolicy ?? 'Always';
    for (const container of this.#pod.spec.initContainers ?? []) {
      if (this.#stop.signal.aborted) return;
      // An init container runs to success: Always would repeat it for ever.
      const worker = this.#start(container, policy === 'Never' ? 'Never' : 'OnFailure');
      await worker.finished;
      if (worker.status.state?.terminated?.exitCode !== 0) return;
    }
    if (this.#stop.signal.aborted) return;
    const workers = this.#pod.spec.containers.map((container) => this.#start(container, policy));
    await Promise.all(workers.map(({ finished }) => finished));
  }

  async #acquireAddress(): Promise<void> {
    if (this.#pod.spec.hostNetwork === true) {
      this.#podIP = this.#options.nodeIP;
      return;
    }
    while (!this.#stop.signal.aborted) {
      const outcome = this.#options.addresses.allocate(this.#uid);
      if (outcome.kind === 'allocated') {
        this.#podIP = outcome.address;
        return;
      }
      this.#record(
        'Warning',
        'FailedCreatePodSandBox',
        `Failed to create pod sandbox: ${outcome.message}`,
      );
      await this.#waitForRetry();
    }
  }

  async #openHostPorts(): Promise<void> {
    const { served, unserved } = hostPortsOf(this.#pod, this.#options.nodeIP);
    for (const port of unserved)
      this.#record(
        'Warning',
        'HostPortNotServed',
        `podwire serves TCP and UDP host ports, not ${port}`,
      );
    if (served.length === 0 || this.#podIP === undefined) return;
    this.#openPorts = await this.#options.hostPorts.open(served, this.#podIP, (message) =>
      this.#record('Warning', 'HostPortNotServed', message),
    );
  }

  #waitForRetry(): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#stop;
      const timer = this.#options.clock.setTimer(ADDRESS_RETRY_MS, done);
      function done(): void {
        signal.removeEventListener('abort', done);
        timer.cancel();
        resolve();
      }
      signal.addEventListener('abort', done);
    });
  }

  #start(container: Container, restartPolicy: RestartPolicy): ContainerWorker {
    const { clock, dialPort } = this.#options;
    const fieldPath = this.#fieldPath(container);
    const record: RecordEvent = (type, reason, message) =>
      this.#options.record(this.#pod, type, reason, message, fieldPath);
    const worker = new ContainerWorker({
      clock,
      container,
      podUid: this.#uid,
      podTitle: this.#title,
      podIP: this.#podIP ?? '',
      restartPolicy,
      resumed: this.#resumed.get(container.name),
      runtime: this.#runtime(container),
      prepare: () => this.#prepare(container),
      dialPort,
      onChange: () => void this.#publisher.publish(),
      record,
    });
    this.#workers.set(container.name, worker);
    void this.#publisher.publish();
    return worker;
  }

  /** How events name a container. */
  #fieldPath({ name }: Container): string {
    const isInit = this.#pod.spec.initContainers?.some((container) => container.name === name);
    return `spec.${isInit === true ? 'initContainers' : 'containers'}{${name}}`;
  }

  /** Says what is run in the image's place wherever that is not the image itself. */
  #runtime(container: Container): ContainerRuntime {
    const image = container.image ?? '';
    const isProcess = this.#pod.metadata.annotations?.[RUNTIME_ANNOTATION] === 'process';
    if (isProcess && (container.command ?? []).length > 0) return this.#options.runtimes.process;
    const builtin = BUILTIN_IMAGES[imageBaseName(image)];
    const record = (reason: string, message: string): void =>
      this.#options.record(this.#pod, 'Warning', reason, message, this.#fieldPath(container));
    if (builtin === undefined)
      record(
        'ImageNotInCatalogue',
        `podwire has no built-in image for "${image}": running ${FALLBACK_IMAGE.summary}`,
      );
    else if ((container.command ?? []).length > 0)
      record(
        'CommandNotRun',
        `Built-in image "${image}" ${builtin.summary}; its command is run only with the annotation ${RUNTIME_ANNOTATION}: process`,
      );
    return this.#options.runtimes.builtin;
  }

  async #prepare(container: Container): Promise<ContainerSpec> {
    const { sources, nodeName, nodeIP, baseEnv, log } = this.#options;
    const { name = '', namespace = '' } = this.#pod.metadata;
    const podIP = this.#podIP ?? '';
    const env: Record<string, string> = {
      ...baseEnv,
      HOSTNAME: this.#pod.spec.hostname ?? name,
      PODWIRE_ROOT: this.#folder.path,
      ...containerEnv(this.#pod, container, { podIP, hostIP: nodeIP, nodeName }, sources),
    };
    await this.#folder.mount(this.#pod, container, sources);
    await this.#writeResolvConf();
    return {
      name: container.name,
      image: container.image ?? '',
      command: (container.command ?? []).map((word) => expandReferences(word, env)),
      args: (container.args ?? []).map((word) => expandReferences(word, env)),
      env,
      ports: (container.ports ?? []).map(({ containerPort, protocol }) => ({
        port: containerPort,
        protocol: protocol ?? 'TCP',
      })),
      workingDir: container.workingDir ?? this.#folder.path,
      pod: { name, namespace, uid: this.#uid, ip: podIP, nodeName },
      output: this.#newLog(container.name),
      log,
    };
  }

  async #writeResolvConf(): Promise<void> {
    const { metadata, spec } = this.#pod;
    const { conf, events } = podResolvConf({
      pod: { namespace: metadata.namespace ?? '', spec },
      ...this.#options.dns,
    });
    for (const { reason, message } of events) this.#record('Warning', reason, message);
    await this.#folder.write('etc/resolv.conf', formatResolvConf(conf));
  }

  /** A new log for a new life; the one before is kept, older ones are not. */
  #newLog(container: string): ContainerLog {
    const current = new ContainerLog(this.#options.clock);
    const previous = this.#logs.get(container)?.current;
    this.#logs.set(container, previous === undefined ? { current } : { current, previous });
    return current;
  }

  async #terminate(graceMs: number): Promise<void> {
    this.#stop.abort();
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop(graceMs)));
    await this.#life;
    await this.#openPorts?.close();
    await this.#publisher.publish();
    this.#options.addresses.release(this.#uid);
    await this.#folder.remove();
  }

  /** Init containers run again, whatever became of them. */
  #resumedContainers(): ReadonlyMap<string, Resumed> {
    const { spec, status } = this.#pod;
    const resume = (container: Container, all: ContainerStatus[] = [], policy: RestartPolicy) => {
      const before = all.find(({ name }) => name === container.name);
      const resumed = resumedContainer(container, before, policy, this.#now());
      return resumed === undefined ? [] : [[container.name, resumed] as const];
    };
    const policy = spec.restartPolicy ?? 'Always';
    return new Map([
      ...(spec.initContainers ?? []).flatMap((container) =>
        resume(container, status?.initContainerStatuses, 'Always'),
      ),
      ...spec.containers.flatMap((container) =>
        resume(container, status?.containerStatuses, policy),
      ),
    ]);
  }

  #facts(): Parameters<typeof podStatus>[1] {
    const { initContainers = [], containers } = this.#pod.spec;
    const reason = initContainers.length > 0 ? 'PodInitializing' : 'ContainerCreating';
    const statusOf = (container: Container) =>
      this.#workers.get(container.name)?.status ??
      this.#resumed.get(container.name)?.status ??
      waitingStatus(container, reason);
    return {
      podIP: this.#podIP,
      hostIP: this.#options.nodeIP,
      startTime: this.#startTime,
      initContainers: initContainers.map(statusOf),
      containers: containers.map(statusOf),
    };
  }

  #record(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.record(this.#pod, type, reason, message);
  }
}

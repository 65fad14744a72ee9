import { createHash } from 'node:crypto';
import type { Container, ContainerState, ContainerStatus } from '../../api/types/core.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { errorCode, errorMessage } from '../../base/errors.ts';
import { formatTimestamp } from '../../base/timestamp.ts';
import type {
  ContainerHandle,
  ContainerRuntime,
  ContainerSpec,
  ExitStatus,
} from '../runtime/container.ts';
import type { Resumed } from './after-restart.ts';
import { CRASH_LOOP, goSeconds, restartDelayMs } from './back-off.ts';
import { ContainerProbes } from './container-probes.ts';
import { waitingStatus } from './pod-status.ts';
import { type ProbeTarget, runProbe } from './probe-handler.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

export type RecordEvent = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

export interface ContainerWorkerOptions {
  readonly clock: Clock;
  readonly container: Container;
  readonly podUid: string;
  /** `namespace_name(uid)` completes the back-off message. */
  readonly podTitle: string;
  readonly podIP: string;
  readonly restartPolicy: RestartPolicy;
  /** Where the node has restarted since the container ran. */
  readonly resumed?: Resumed | undefined;
  readonly runtime: ContainerRuntime;
  /** Resolves everything the container refers to; throws CreateContainerConfigError when it cannot. */
  readonly prepare: () => Promise<ContainerSpec>;
  readonly dialPort: ProbeTarget['dialPort'];
  readonly onChange: () => void;
  readonly record: RecordEvent;
}

/** How often a container whose configuration is missing looks again. */
const CONFIG_RETRY_MS = 2_000;

const HOOK_TIMEOUT_MS = 30_000;

const UNKNOWN_START = 'ContainerCannotRun';

/**
 * Starts one container, probes it and starts it again as its restart policy says, until `stop`. Owns the
 * container's handle and probes.
 */
export class ContainerWorker {
  readonly #options: ContainerWorkerOptions;
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  #status: ContainerStatus;
  #handle: ContainerHandle | undefined;
  #probes: ContainerProbes | undefined;
  #graceMs = 0;

  constructor(options: ContainerWorkerOptions) {
    this.#options = options;
    const { resumed } = options;
    this.#status = resumed?.status ?? waitingStatus(options.container, 'ContainerCreating');
    this.#finished = resumed?.isOver === true ? Promise.resolve() : this.#run();
  }

  get status(): ContainerStatus {
    return this.#status;
  }

  /** Resolves once the container has ended for good. */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /** preStop, SIGTERM, and SIGKILL when `graceMs` are over. Resolves once everything is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#graceMs = graceMs;
    this.#stopping.abort();
    await this.#finished;
  }

  async #run(): Promise<void> {
    let restarts = 0;
    while (!this.#stopping.signal.aborted) {
      const startedAt = this.#options.clock.now();
      const exit = await this.#runOnce();
      if (exit === undefined) continue;
      if (!this.#restartsAfter(exit)) return;
      const ranMs = this.#options.clock.now() - startedAt;
      restarts = ranMs >= CRASH_LOOP.resetAfterMs ? 0 : restarts;
      await this.#backOff(restartDelayMs(restarts));
      restarts += 1;
    }
  }

  /** One life of the container; undefined when it could not be configured and is to be tried again. */
  async #runOnce(): Promise<ExitStatus | undefined> {
    const { container, record } = this.#options;
    let spec: ContainerSpec;
    try {
      spec = await this.#options.prepare();
    } catch (error) {
      await this.#awaitConfiguration(error);
      return undefined;
    }
    const startedAt = this.#timestamp();
    const image = container.image ?? '';
    record(
      'Normal',
      'Pulled',
      `Container image "${image}" already present on machine and can be accessed by the pod`,
    );
    try {
      record('Normal', 'Created', 'Container created');
      this.#handle = await this.#options.runtime.start(spec);
    } catch (error) {
      const reason = errorCode(error) ?? UNKNOWN_START;
      spec.output.end();
      record('Warning', 'Failed', `Error: ${errorMessage(error)}`);
      return this.#ended(
        { exitCode: 128, reason: 'Error' },
        startedAt,
        reason,
        errorMessage(error),
      );
    }
    record('Normal', 'Started', 'Container started');
    const exit = await this.#live(this.#handle, startedAt);
    this.#handle = undefined;
    spec.output.end();
    return this.#ended(exit, startedAt, exit.reason);
  }

  async #awaitConfiguration(error: unknown): Promise<void> {
    const reason = errorCode(error) ?? 'CreateContainerError';
    this.#update({ state: { waiting: { reason, message: errorMessage(error) } }, ready: false });
    this.#options.record('Warning', 'Failed', `Error: ${errorMessage(error)}`);
    await this.#wait(CONFIG_RETRY_MS);
  }

  async #live(handle: ContainerHandle, startedAt: string): Promise<ExitStatus> {
    const { container, record } = this.#options;
    const target = this.#target(handle);
    const onStop = (): void => void this.#terminate(handle, target);
    this.#stopping.signal.addEventListener('abort', onStop, { once: true });
    this.#update({
      state: { running: { startedAt } },
      containerID: this.#containerId(startedAt),
      started: false,
      ready: false,
    });
    if (this.#stopping.signal.aborted) onStop();
    await this.#postStart(target);
    this.#probes = new ContainerProbes({
      clock: this.#options.clock,
      container,
      run: (probe, timeoutMs) => runProbe(this.#options.clock, probe, target, timeoutMs),
      record,
      onChange: ({ started, ready }) => this.#update({ started, ready }),
      onUnhealthy: (kind, graceSeconds) => {
        record(
          'Normal',
          'Killing',
          `Container ${container.name} failed ${kind} probe, will be restarted`,
        );
        void handle.stop((graceSeconds ?? 30) * 1000);
      },
    });
    const exit = await handle.exited;
    this.#probes.stop();
    this.#stopping.signal.removeEventListener('abort', onStop);
    return exit;
  }

  async #postStart(target: ProbeTarget): Promise<void> {
    const hook = this.#options.container.lifecycle?.postStart;
    if (hook === undefined) return;
    const result = await runProbe(this.#options.clock, hook, target, HOOK_TIMEOUT_MS);
    if (!result.ok)
      this.#options.record(
        'Warning',
        'FailedPostStartHook',
        `PostStartHook failed: ${result.message}`,
      );
  }

  async #terminate(handle: ContainerHandle, target: ProbeTarget): Promise<void> {
    const { container, record, clock } = this.#options;
    this.#probes?.stopLiveness();
    record('Normal', 'Killing', `Stopping container ${container.name}`);
    const deadline = clock.now() + this.#graceMs;
    const hook = container.lifecycle?.preStop;
    if (hook?.sleep !== undefined)
      await sleep(clock, Math.min(hook.sleep.seconds * 1000, this.#graceMs));
    else if (hook !== undefined && this.#graceMs > 0)
      await runProbe(clock, hook, target, this.#graceMs);
    await handle.stop(Math.max(deadline - clock.now(), 0));
  }

  #ended(exit: ExitStatus, startedAt: string, reason: string, message?: string): ExitStatus {
    const terminated = {
      exitCode: exit.exitCode,
      ...(exit.signal === undefined ? {} : { signal: exit.signal }),
      reason,
      ...(message === undefined ? {} : { message }),
      startedAt,
      finishedAt: this.#timestamp(),
      ...(this.#status.containerID === undefined ? {} : { containerID: this.#status.containerID }),
    };
    this.#update({ state: { terminated }, ready: false, started: false });
    return exit;
  }

  #restartsAfter(exit: ExitStatus): boolean {
    if (this.#stopping.signal.aborted) return false;
    const { restartPolicy } = this.#options;
    return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exit.exitCode !== 0);
  }

  async #backOff(delayMs: number): Promise<void> {
    const { container, podTitle, record } = this.#options;
    const lastState: ContainerState = this.#status.state ?? {};
    const restartCount = this.#status.restartCount + 1;
    if (delayMs > 0) {
      const message = `back-off ${goSeconds(delayMs)} restarting failed container=${container.name} pod=${podTitle}`;
      record(
        'Warning',
        'BackOff',
        `Back-off restarting failed container ${container.name} in pod ${podTitle}`,
      );
      this.#update({ state: { waiting: { reason: 'CrashLoopBackOff', message } }, lastState });
      await this.#wait(delayMs);
    }
    if (!this.#stopping.signal.aborted) this.#update({ lastState, restartCount });
  }

  /** Waits, or returns early when the container is to stop. */
  async #wait(ms: number): Promise<void> {
    const { signal } = this.#stopping;
    await sleep(this.#options.clock, ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  #target(handle: ContainerHandle): ProbeTarget {
    const { podIP, container, dialPort } = this.#options;
    return { podIP, container, handle, dialPort };
  }

  /** One for every life of the container, in the form of container runtimes. */
  #containerId(startedAt: string): string {
    const { podUid, container } = this.#options;
    const life = [podUid, container.name, this.#status.restartCount, startedAt].join('/');
    return `podwire://${createHash('sha256').update(life).digest('hex')}`;
  }

  #timestamp(): string {
    return formatTimestamp(this.#options.clock.wallNow());
  }

  #update(change: Partial<ContainerStatus>): void {
    const image = this.#options.container.image ?? '';
    this.#status = { ...this.#status, imageID: image, ...change };
    this.#options.onChange();
  }
}

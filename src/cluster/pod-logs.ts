import type { Pod } from '../api/types/core.ts';
import { badRequest, notFound } from '../api/status-errors.ts';
import type { Clock } from '../base/clock.ts';
import type { PodAccess, PodLogOptions } from '../controlplane/apiserver/pod-access.ts';
import type { ContainerLog, LogLine } from '../node/runtime/container-log.ts';

export interface PodLogSources {
  pod(name: string, namespace: string): Pod | undefined;
  /** Of this life of the container or the one before. Undefined where it had none, or its node is gone. */
  log(pod: Pod, container: string, previous: boolean): ContainerLog | undefined;
}

/** Lines a reader of a followed log may be behind; then the oldest of them are left out. */
const MAX_BACKLOG_LINES = 10_000;

/** `kubectl logs` out of what the kubelets keep in memory. */
export function podLogs(sources: PodLogSources, clock: Clock): PodAccess {
  return {
    logs({ namespace, name }, options, signal) {
      const pod = sources.pod(name, namespace);
      if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, name);
      const container = containerOf(pod, options.container);
      if ((pod.spec.nodeName ?? '') === '')
        throw badRequest(`pod ${name} does not have a host assigned`);
      const log = sources.log(pod, container, options.previous);
      if (log === undefined)
        throw badRequest(
          options.previous
            ? `previous terminated container "${container}" in pod "${name}" not found`
            : `container "${container}" in pod "${name}" is waiting to start: ${waitingReason(pod, container)}`,
        );
      return lines(log, options, clock.wallNow(), signal);
    },
  };
}

function containerOf(pod: Pod, wanted: string | undefined): string {
  const names = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(
    ({ name }) => name,
  );
  if (wanted !== undefined && wanted !== '') {
    if (names.includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
  }
  const [only] = pod.spec.containers;
  if (only !== undefined && pod.spec.containers.length === 1) return only.name;
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]`,
  );
}

function waitingReason(pod: Pod, container: string): string {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const status = [...initContainerStatuses, ...containerStatuses].find(
    ({ name }) => name === container,
  );
  return status?.state?.waiting?.reason ?? 'ContainerCreating';
}

async function* lines(
  log: ContainerLog,
  options: PodLogOptions,
  nowMs: number,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const limit = new ByteLimit(options.limitBytes);
  const take = (some: readonly LogLine[]): Generator<string> =>
    limit.take(some.map((line) => format(line, options)));
  const past = pastLines(log, options, nowMs);
  if (!options.follow) {
    yield* take(past);
    return;
  }
  const tail = new LogTail(log, signal);
  try {
    yield* take(past);
    for (let more = await tail.next(); more.length > 0; more = await tail.next()) {
      yield* take(more);
      if (limit.reached) return;
    }
  } finally {
    tail.close();
  }
}

function pastLines(log: ContainerLog, options: PodLogOptions, nowMs: number): readonly LogLine[] {
  const { sinceSeconds = Infinity, tailLines } = options;
  const past = log.lines.filter(({ at }) => at >= nowMs - sinceSeconds * 1000);
  return tailLines === undefined ? past : past.slice(Math.max(past.length - tailLines, 0));
}

/** What a container writes from now on. Ends with the container's life, as on a real node, or with the signal. */
class LogTail {
  readonly #log: ContainerLog;
  readonly #signal: AbortSignal;
  readonly #unfollow: () => void;
  #backlog: LogLine[] = [];
  #wake: () => void = () => undefined;
  readonly #onAbort = (): void => this.#wake();

  constructor(log: ContainerLog, signal: AbortSignal) {
    this.#log = log;
    this.#signal = signal;
    this.#unfollow = log.follow({
      onLine: (line) => {
        if (this.#backlog.length >= MAX_BACKLOG_LINES) this.#backlog.shift();
        this.#backlog.push(line);
        this.#wake();
      },
      onEnd: () => this.#wake(),
    });
    signal.addEventListener('abort', this.#onAbort);
  }

  /** At least one line; none when it is over. */
  async next(): Promise<readonly LogLine[]> {
    while (this.#backlog.length === 0 && !this.#log.ended && !this.#signal.aborted)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const taken = this.#signal.aborted ? [] : this.#backlog;
    this.#backlog = [];
    return taken;
  }

  close(): void {
    this.#unfollow();
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

/** limitBytes: the output ends there, in the middle of a line if need be. */
class ByteLimit {
  #left: number;

  constructor(bytes: number | undefined) {
    this.#left = bytes ?? Infinity;
  }

  get reached(): boolean {
    return this.#left <= 0;
  }

  *take(texts: readonly string[]): Generator<string> {
    for (const text of texts) {
      if (this.reached) return;
      const bytes = Buffer.byteLength(text);
      yield bytes <= this.#left ? text : Buffer.from(text).subarray(0, this.#left).toString();
      this.#left -= bytes;
    }
  }
}

function format(line: LogLine, { timestamps }: PodLogOptions): string {
  return timestamps ? `${new Date(line.at).toISOString()} ${line.text}\n` : `${line.text}\n`;
}

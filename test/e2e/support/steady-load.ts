import { Agent, request } from 'node:http';

export interface LoadReport {
  readonly requests: number;
  /** What went wrong, with the time the request was sent: milliseconds since the start. */
  readonly failures: readonly { readonly begunMs: number; readonly what: string }[];
  /** When each pod answered last, by its name, in milliseconds since the start. */
  readonly lastAnswerMs: ReadonlyMap<string, number>;
}

/** Longer than any answer takes that does come. */
const TIMEOUT_MS = 30_000;

/**
 * Clients that ask one thing after another, as fast as it is answered, until told to stop: of each URL as many, every
 * other one over a connection that it keeps.
 */
export class SteadyLoad implements AsyncDisposable {
  readonly #kept = new Agent({ keepAlive: true });
  readonly #fresh = new Agent({ keepAlive: false });
  readonly #startedAt = performance.now();
  readonly #failures: { begunMs: number; what: string }[] = [];
  readonly #lastAnswerMs = new Map<string, number>();
  readonly #clients: readonly Promise<void>[];
  #requests = 0;
  #stopped = false;

  constructor(urls: readonly string[], options: { readonly clients: number }) {
    this.#clients = Array.from({ length: options.clients }, (_, index) => {
      const url = urls[(index >> 1) % urls.length] ?? '';
      return this.#run(url, index % 2 === 0 ? this.#kept : this.#fresh);
    });
  }

  /** On the clock of the report. */
  get nowMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** How many have ended, well or not. */
  get requests(): number {
    return this.#requests;
  }

  /** Resolves when the last answers are in. */
  async stop(): Promise<LoadReport> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    this.#kept.destroy();
    this.#fresh.destroy();
    return {
      requests: this.#requests,
      failures: this.#failures,
      lastAnswerMs: this.#lastAnswerMs,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(url: string, agent: Agent): Promise<void> {
    while (!this.#stopped) {
      const begunMs = Math.round(this.nowMs);
      const outcome = await askOnce(url, agent);
      this.#requests += 1;
      if (outcome.kind === 'answer') this.#lastAnswerMs.set(outcome.pod, this.nowMs);
      else this.#failures.push({ begunMs, what: outcome.what });
    }
  }
}

/** One request to its end; who answered, or what went wrong. */
export function askOnce(
  url: string,
  agent: Agent,
): Promise<{ kind: 'answer'; pod: string } | { kind: 'failure'; what: string }> {
  return new Promise((settle) => {
    const outgoing = request(url, { agent, timeout: TIMEOUT_MS }, (response) => {
      const pod = String(response.headers['x-pod-name'] ?? '');
      response.resume();
      response.once('error', ({ message }) => settle({ kind: 'failure', what: message }));
      response.once('end', () =>
        response.statusCode === 200
          ? settle({ kind: 'answer', pod })
          : settle({ kind: 'failure', what: `status ${response.statusCode}` }),
      );
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.once('error', ({ message }) => settle({ kind: 'failure', what: message }));
    outgoing.end();
  });
}

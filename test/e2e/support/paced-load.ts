import { Agent } from 'node:http';
import { askOnce } from './steady-load.ts';

export interface PacedAnswer {
  /** When it was sent, in milliseconds since the start. */
  readonly begunMs: number;
  /** Undefined where nobody answered in time. */
  readonly pod: string | undefined;
}

/** Asks at a steady pace, whether or not what was asked before is answered, over new connections. */
export class PacedLoad implements AsyncDisposable {
  readonly #agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  readonly #startedAt = performance.now();
  readonly #answers: PacedAnswer[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(url: string, everyMs: number) {
    this.#timer = setInterval(() => this.#ask(url), everyMs);
  }

  /** On the clock of the answers. */
  get nowMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** How many are answered, or given up. */
  get answered(): number {
    return this.#answers.length;
  }

  /** Resolves when the last answers are in, or given up; in the order in which they came. */
  async stop(): Promise<readonly PacedAnswer[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    this.#agent.destroy();
    return this.#answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #ask(url: string): void {
    const asking = this.#answer(url).finally(() => this.#underWay.delete(asking));
    this.#underWay.add(asking);
  }

  async #answer(url: string): Promise<void> {
    const begunMs = this.nowMs;
    const outcome = await askOnce(url, this.#agent);
    this.#answers.push({ begunMs, pod: outcome.kind === 'answer' ? outcome.pod : undefined });
  }
}

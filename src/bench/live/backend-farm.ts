import { type ChildProcess, fork } from 'node:child_process';
import { PodwireError } from '../../base/errors.ts';
import type { Plan } from '../scenario/plan.ts';
import type { BackendOrder, BackendReply } from './backend-process.ts';
import type { ConnectionCounts } from './backend-server.ts';
import { endChild } from './proxy-under-test.ts';
import { loaderFlags, siblingModule } from './sibling-module.ts';
import type { Slip } from './slip.ts';

/** The process with all backends, as the run sees it. */
export class BackendFarm implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  #counts: ConnectionCounts;
  #slip: { resolve(slip: Slip): void; reject(error: Error): void } | undefined;

  constructor(plan: Plan, seed: string) {
    const count = plan.backends.length;
    this.#counts = { open: new Int32Array(count), peak: new Int32Array(count) };
    const path = siblingModule(import.meta.url, 'backend-process');
    this.#child = fork(path, { execArgv: loaderFlags(path), serialization: 'advanced' });
    this.#child.on('message', (reply: BackendReply) => this.#onReply(reply));
    this.#child.on('exit', (code) => this.#fail(`the backends ended with code ${code}`));
    this.#order({ kind: 'scenario', scenario: plan.scenario, seed });
  }

  /** As of the latest {@link refresh} that was answered. */
  get counts(): ConnectionCounts {
    return this.#counts;
  }

  refresh(): void {
    this.#order({ kind: 'count' });
  }

  /** Resolves once it listens. Rejects with `ERR_BENCH_LIVE` when it cannot. */
  start(backend: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(backend, { resolve, reject });
      this.#order({ kind: 'start', backend });
    });
  }

  /** Of its process, since this was last asked for. */
  slip(): Promise<Slip> {
    return new Promise((resolve, reject) => {
      this.#slip = { resolve, reject };
      this.#order({ kind: 'slip' });
    });
  }

  stop(backend: number): void {
    this.#order({ kind: 'stop', backend });
  }

  kill(backend: number): void {
    this.#order({ kind: 'kill', backend });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endChild(this.#child);
  }

  #order(order: BackendOrder): void {
    if (this.#child.connected) this.#child.send(order);
  }

  #onReply(reply: BackendReply): void {
    if (reply.kind === 'counts') {
      this.#counts = reply.counts;
      return;
    }
    if (reply.kind === 'slip') {
      this.#slip?.resolve(reply.slip);
      return;
    }
    const waiting = this.#waiting.get(reply.backend);
    this.#waiting.delete(reply.backend);
    if (reply.kind === 'listening') waiting?.resolve();
    else waiting?.reject(unavailable(`backend ${reply.backend} cannot listen: ${reply.reason}`));
  }

  #fail(reason: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(unavailable(reason));
    this.#waiting.clear();
    this.#slip?.reject(unavailable(reason));
  }
}

function unavailable(reason: string): PodwireError {
  return new PodwireError(
    'ERR_BENCH_LIVE',
    `${reason}; the live engine needs Linux, where every address of 127.0.0.0/8 is local, and no other live run beside it`,
  );
}

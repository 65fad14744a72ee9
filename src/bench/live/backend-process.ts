// Entry of the process that holds all backends of a live run, so that they, the proxy and the load do not
// wait for each other.
import { systemClock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import { seededRandom } from '../../base/random.ts';
import { type Plan, planOf } from '../scenario/plan.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { BackendPool } from '../sim/backend-pool.ts';
import { samplerOf } from '../sim/sampler.ts';
import type { BackendOptions, BackendServer, ConnectionCounts } from './backend-server.ts';
import { DatagramBackend } from './datagram-backend.ts';
import { messageFormat } from './message-format.ts';
import { Pulse } from './pulse.ts';
import type { Slip } from './slip.ts';
import { StreamBackend } from './stream-backend.ts';

export type BackendOrder =
  /** First, once. */
  | { readonly kind: 'scenario'; readonly scenario: Scenario; readonly seed: string }
  | { readonly kind: 'start' | 'stop' | 'kill'; readonly backend: number }
  | { readonly kind: 'count' | 'slip' };

export type BackendReply =
  | { readonly kind: 'listening'; readonly backend: number }
  | { readonly kind: 'failed'; readonly backend: number; readonly reason: string }
  | { readonly kind: 'counts'; readonly counts: ConnectionCounts }
  /** Since it was last asked for. */
  | { readonly kind: 'slip'; readonly slip: Slip };

process.on('disconnect', () => process.exit());
// Who started it may have ended before anybody listened here.
if (!process.connected) process.exit();
process.once('message', (order: BackendOrder) => {
  if (order.kind !== 'scenario') return;
  const backends = new Backends(planOf(order.scenario), order.seed);
  process.on('message', (next: BackendOrder) => backends.follow(next));
});

class Backends {
  readonly #plan: Plan;
  readonly #random;
  readonly #pool: BackendPool;
  readonly #servers: (BackendServer | undefined)[] = [];
  readonly #counts: ConnectionCounts;
  readonly #pulse = new Pulse(systemClock);

  constructor(plan: Plan, seed: string) {
    const count = plan.backends.length;
    this.#plan = plan;
    this.#random = seededRandom(seed).fork('service');
    this.#pool = new BackendPool(count);
    this.#counts = { open: new Int32Array(count), peak: new Int32Array(count) };
  }

  follow(order: BackendOrder): void {
    switch (order.kind) {
      case 'scenario':
        return;
      case 'start':
        void this.#start(order.backend);
        return;
      case 'stop':
      case 'kill':
        this.#servers[order.backend]?.[order.kind]();
        return;
      case 'count':
        reply({ kind: 'counts', counts: this.#counts });
        return;
      case 'slip':
        reply({ kind: 'slip', slip: this.#pulse.take() });
    }
  }

  async #start(index: number): Promise<void> {
    const backend = this.#plan.backends[index];
    if (backend === undefined) return;
    const { group, warmUp } = backend;
    this.#pool.add(index, {
      serviceTime: samplerOf(group.serviceTime, this.#random),
      concurrency: group.concurrency,
      queueLimit: group.queueLimit,
      ...(warmUp === undefined ? {} : { warmUp: { fromMs: systemClock.now(), ...warmUp } }),
    });
    const { protocol } = this.#plan.scenario;
    const options: BackendOptions = {
      index,
      pool: this.#pool,
      format: messageFormat(protocol),
      counts: this.#counts,
      clock: systemClock,
    };
    const server = protocol === 'UDP' ? new DatagramBackend(options) : new StreamBackend(options);
    this.#servers[index] = server;
    try {
      await server.listen();
      reply({ kind: 'listening', backend: index });
    } catch (error) {
      reply({ kind: 'failed', backend: index, reason: errorMessage(error) });
    }
  }
}

function reply(message: BackendReply): void {
  process.send?.(message);
}

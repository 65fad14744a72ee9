import type { ConnectionEvent, SocketAddress } from '../../proxy/flow.ts';
import type { Balancer } from '../algorithms/balancer.ts';
import { podAddress, sourceIndex } from '../scenario/network-plan.ts';
import { SlotTable } from '../sim/slot-table.ts';

/** What was chosen for one connection, and whom to tell of its life. */
export interface Choice {
  readonly backend: number;
  readonly endpoint: SocketAddress;
  readonly observer: { event(event: ConnectionEvent): void };
}

/** The balancer of one node, asked by real connections instead of simulated ones. */
export class NodeBalancer {
  readonly balancer: Balancer;
  readonly #slots = new SlotTable();

  constructor(balancer: Balancer) {
    this.balancer = balancer;
  }

  /** Undefined: refused. */
  choose(source: SocketAddress): Choice | undefined {
    const slot = this.#slots.take();
    const backend = this.balancer.open(slot, sourceIndex(source.address), source.port);
    if (backend < 0) {
      this.#slots.release(slot);
      return undefined;
    }
    return { backend, endpoint: podAddress(backend), observer: this.#observer(slot) };
  }

  #observer(slot: number): Choice['observer'] {
    let how: 'client' | 'server' | 'failed' | undefined;
    return {
      event: (event) => {
        if (event === 'client-fin') how ??= 'client';
        else if (event === 'server-fin') how ??= 'server';
        else if (event === 'closed') {
          this.balancer.close(slot, how ?? 'client');
          this.#slots.release(slot);
        } else if (event !== 'established') how = 'failed';
      },
    };
  }
}

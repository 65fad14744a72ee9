// Entry of the process that is the proxy of a live run: podwire's own engine and pickers, one listener a
// node. A process of its own, so that its processor time can be read.
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { EngineConnection, Route } from '../../proxy/engine/engine.ts';
import { netTransport } from '../../proxy/engine/net-transport.ts';
import { StreamEngine } from '../../proxy/engine/stream-engine.ts';
import type { ConnectionEvent } from '../../proxy/flow.ts';
import type { Balancer, EligibleBackend } from '../algorithms/balancer.ts';
import { algorithmNamed } from '../algorithms/registry.ts';
import { nodeAddress, podAddress, sourceAddress, sourceIndex } from '../scenario/network-plan.ts';
import { SlotTable } from '../sim/slot-table.ts';

export type ProxyOrder =
  | {
      readonly kind: 'start';
      readonly algorithm: string;
      readonly nodes: number;
      readonly maximumBackends: number;
      readonly seed: string;
      readonly affinitySeconds?: number;
    }
  /** By node. */
  | { readonly kind: 'update'; readonly eligible: readonly (readonly EligibleBackend[])[] };

/** The port of each node's listener, or why there is none. */
export type ProxyReply =
  | { readonly kind: 'listening'; readonly ports: readonly number[] }
  | { readonly kind: 'updated' }
  | { readonly kind: 'failed'; readonly reason: string };

const engine = new StreamEngine({ transport: netTransport, clock: systemClock });
const slots = new SlotTable();
let balancers: Balancer[] = [];

process.on('message', (order: ProxyOrder) => {
  void follow(order);
});
process.on('disconnect', () => process.exit());

async function follow(order: ProxyOrder): Promise<void> {
  try {
    if (order.kind === 'start') await start(order);
    else {
      for (const [node, eligible] of order.eligible.entries()) balancers[node]?.update(eligible);
      reply({ kind: 'updated' });
    }
  } catch (error) {
    reply({ kind: 'failed', reason: String(error) });
  }
}

async function start(order: Extract<ProxyOrder, { kind: 'start' }>): Promise<void> {
  const { nodes, maximumBackends, affinitySeconds } = order;
  const random = seededRandom(order.seed);
  const algorithm = algorithmNamed(order.algorithm);
  balancers = Array.from({ length: nodes }, (_, node) =>
    algorithm.create({
      node,
      protocol: 'TCP',
      random: random.fork(`node-${node}`),
      clock: systemClock,
      maximumBackends,
      sourceAddress,
      globalInSystem: new Int32Array(maximumBackends),
      ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
    }),
  );
  const listeners = await Promise.all(
    balancers.map((balancer, node) =>
      engine.listen({
        address: nodeAddress(node),
        port: 0,
        route: (connection) => routeBy(balancer, connection),
      }),
    ),
  );
  reply({ kind: 'listening', ports: listeners.map(({ local }) => local.port) });
}

function routeBy(balancer: Balancer, { source }: EngineConnection): Route {
  const slot = slots.take();
  const backend = balancer.open(slot, sourceIndex(source.address), source.port);
  if (backend < 0) {
    slots.release(slot);
    return { kind: 'reset' };
  }
  return { kind: 'dial', ...podAddress(backend), observer: endObserver(balancer, slot) };
}

function endObserver(balancer: Balancer, slot: number): { event(event: ConnectionEvent): void } {
  let how: 'client' | 'server' | 'failed' | undefined;
  return {
    event(event) {
      if (event === 'client-fin') how ??= 'client';
      else if (event === 'server-fin') how ??= 'server';
      else if (event === 'closed') {
        balancer.close(slot, how ?? 'failed');
        slots.release(slot);
      } else if (event !== 'established') how = 'failed';
    },
  };
}

function reply(message: ProxyReply): void {
  process.send?.(message);
}

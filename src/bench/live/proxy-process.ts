// Entry of the process that is the proxy of a live run: podwire's own engine and pickers, one listener a
// node. A process of its own, so that its processor time can be read.
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { EligibleBackend } from '../algorithms/balancer.ts';
import { algorithmNamed } from '../algorithms/registry.ts';
import { nodeAddress, sourceAddress } from '../scenario/network-plan.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { listenFlows } from './datagram-proxy.ts';
import { messageFormat } from './message-format.ts';
import { NodeBalancer } from './node-balancer.ts';
import { Pulse } from './pulse.ts';
import type { Slip } from './slip.ts';
import { listenStreams } from './stream-proxy.ts';

export type ProxyOrder =
  | {
      readonly kind: 'start';
      readonly algorithm: string;
      readonly protocol: Scenario['protocol'];
      readonly nodes: number;
      readonly maximumBackends: number;
      readonly seed: string;
      readonly affinitySeconds?: number;
      /** Of UDP flows; conntrack's when absent. */
      readonly flowTimeoutMs?: number;
    }
  /** By node. */
  | { readonly kind: 'update'; readonly eligible: readonly (readonly EligibleBackend[])[] }
  | { readonly kind: 'slip' };

/** The port of each node's listener, or why there is none. */
export type ProxyReply =
  | { readonly kind: 'listening'; readonly ports: readonly number[] }
  | { readonly kind: 'updated' }
  /** Since it was last asked for. */
  | { readonly kind: 'slip'; readonly slip: Slip }
  | { readonly kind: 'failed'; readonly reason: string };

let nodes: NodeBalancer[] = [];
const pulse = new Pulse(systemClock);

process.on('message', (order: ProxyOrder) => {
  void follow(order);
});
process.on('disconnect', () => process.exit());
// Who started it may have ended before anybody listened here.
if (!process.connected) process.exit();

async function follow(order: ProxyOrder): Promise<void> {
  try {
    if (order.kind === 'start') await start(order);
    else if (order.kind === 'slip') reply({ kind: 'slip', slip: pulse.take() });
    else {
      for (const [node, eligible] of order.eligible.entries())
        nodes[node]?.balancer.update(eligible);
      reply({ kind: 'updated' });
    }
  } catch (error) {
    reply({ kind: 'failed', reason: String(error) });
  }
}

async function start(order: Extract<ProxyOrder, { kind: 'start' }>): Promise<void> {
  const { protocol, maximumBackends, affinitySeconds, flowTimeoutMs } = order;
  const random = seededRandom(order.seed);
  const algorithm = algorithmNamed(order.algorithm);
  // All nodes are here, so what is known globally can be known.
  const inSystem = new Int32Array(maximumBackends);
  nodes = Array.from({ length: order.nodes }, (_, node) => {
    const balancer = algorithm.create({
      node,
      protocol: protocol === 'UDP' ? 'UDP' : 'TCP',
      random: random.fork(`node-${node}`),
      clock: systemClock,
      maximumBackends,
      sourceAddress,
      globalInSystem: inSystem,
      ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
    });
    return new NodeBalancer(balancer);
  });
  const format = messageFormat(protocol);
  const ports = nodes.map((node, index) => {
    const { balancer } = node;
    const options = {
      clock: systemClock,
      ...(algorithm.watchesRequests === true
        ? { watch: { format, balancer, inSystem, clock: systemClock } }
        : {}),
      ...(flowTimeoutMs === undefined ? {} : { idleTimeoutMs: flowTimeoutMs }),
    };
    const listen = protocol === 'UDP' ? listenFlows : listenStreams;
    return listen(nodeAddress(index), node, options);
  });
  reply({ kind: 'listening', ports: await Promise.all(ports) });
}

function reply(message: ProxyReply): void {
  process.send?.(message);
}

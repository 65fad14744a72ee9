import type { Binding } from '../../proxy/flow.ts';
import { nodeContext } from '../../proxy/node-context.ts';
import type { ModeOptions } from '../../proxy/modes/mode-options.ts';
import type { ProxyMode } from '../../proxy/proxy-mode.ts';
import { nodeAddress, SERVICE_ADDRESS, SERVICE_PORT } from '../scenario/network-plan.ts';
import type { Balancer, BalancerContext } from './balancer.ts';
import { benchRoutingTable } from './bench-service.ts';

const REFUSED = -1;

/** The real proxy mode of one node, asked for each connection exactly as its listener asks. */
export function proxyModeBalancer(
  create: (options: ModeOptions) => ProxyMode,
  context: BalancerContext,
): Balancer {
  const mode = create({
    context: nodeContext({ nodeIPs: [nodeAddress(context.node)], loopback: [] }),
    clock: context.clock,
    random: context.random,
  });
  const destination = { address: SERVICE_ADDRESS, port: SERVICE_PORT };
  const indexOf = new Map<string, number>();
  const bindings: (Binding | undefined)[] = [];
  const sources: string[] = [];

  return {
    update(eligible) {
      for (const { address, index } of eligible) indexOf.set(address, index);
      mode.update(benchRoutingTable(context, eligible));
    },
    open(connection, source, port) {
      const address = (sources[source] ??= context.sourceAddress(source));
      const decision = mode.decide({
        protocol: context.protocol,
        source: { address, port },
        destination,
      });
      if (decision.kind !== 'forward') return REFUSED;
      decision.binding?.event('established');
      bindings[connection] = decision.binding;
      return indexOf.get(decision.endpoint.address) ?? REFUSED;
    },
    close(connection, how) {
      const binding = bindings[connection];
      if (binding === undefined) return;
      bindings[connection] = undefined;
      tellEnd(binding, how);
    },
  };
}

function tellEnd(binding: Binding, how: 'client' | 'server' | 'failed'): void {
  if (how === 'failed') binding.event('server-reset');
  else {
    binding.event(how === 'client' ? 'client-fin' : 'server-fin');
    binding.event(how === 'client' ? 'server-fin' : 'client-fin');
  }
  binding.event('closed');
}

import type { Clock } from '../../base/clock.ts';
import type { Route } from '../../proxy/engine/engine.ts';
import { netTransport } from '../../proxy/engine/net-transport.ts';
import { StreamEngine } from '../../proxy/engine/stream-engine.ts';
import type { NodeBalancer } from './node-balancer.ts';
import type { WatchOptions } from './request-watch.ts';
import { watchedTransport } from './watched-transport.ts';

/**
 * One node's TCP proxy: podwire's own engine, asking `node` for each connection. With `watch` it reads requests
 * too. Resolves with its port; it lives as long as the process.
 */
export async function listenStreams(
  address: string,
  node: NodeBalancer,
  options: { readonly clock: Clock; readonly watch?: WatchOptions },
): Promise<number> {
  const { clock, watch } = options;
  const transport = watch === undefined ? netTransport : watchedTransport(netTransport, watch);
  const engine = new StreamEngine({ transport, clock });
  const route = ({ source }: { readonly source: { address: string; port: number } }): Route => {
    const choice = node.choose(source);
    return choice === undefined
      ? { kind: 'reset' }
      : { kind: 'dial', ...choice.endpoint, observer: choice.observer };
  };
  const { local } = await engine.listen({ address, port: 0, route });
  return local.port;
}

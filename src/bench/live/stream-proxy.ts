import type { Clock } from '../../base/clock.ts';
import type { Route } from '../../proxy/engine/engine.ts';
import { HandleTransport } from '../../proxy/engine/handle-transport.ts';
import { netTransport } from '../../proxy/engine/net-transport.ts';
import type { Transport } from '../../proxy/engine/stream-end.ts';
import { StreamEngine } from '../../proxy/engine/stream-engine.ts';
import { loadTcpBinding } from '../../proxy/engine/tcp-binding.ts';
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
  const usual = usualTransport();
  const transport = watch === undefined ? usual : watchedTransport(usual, watch);
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

/** What a proxy takes that was not told otherwise: see createEngine. */
function usualTransport(): Transport {
  const binding = loadTcpBinding();
  return binding === undefined ? netTransport : new HandleTransport(binding);
}

import type { Clock } from '../../base/clock.ts';
import type { DatagramWay, Dialer } from '../../proxy/dialer.ts';
import { directDialer } from '../../proxy/dialer.ts';
import type { Decision, SocketAddress } from '../../proxy/flow.ts';
import { nodeContext } from '../../proxy/node-context.ts';
import { listenDatagrams } from '../../proxy/udp/datagram-listener.ts';
import { DatagramSocket } from '../../proxy/udp/datagram-socket.ts';
import { UdpForwarder } from '../../proxy/udp/udp-forwarder.ts';
import { podIndex } from '../scenario/network-plan.ts';
import type { NodeBalancer } from './node-balancer.ts';
import { RequestWatch, type WatchOptions } from './request-watch.ts';

/**
 * One node's UDP proxy: podwire's own forwarder, asking `node` for each flow. `idleTimeoutMs` ends flows sooner
 * than conntrack would, since here each costs a descriptor. Resolves with its port; it lives as long as the
 * process.
 */
export async function listenFlows(
  address: string,
  node: NodeBalancer,
  options: {
    readonly clock: Clock;
    readonly idleTimeoutMs?: number;
    readonly watch?: WatchOptions;
  },
): Promise<number> {
  const { clock, idleTimeoutMs, watch } = options;
  const forwarder = new UdpForwarder({
    clock,
    dialer: watch === undefined ? directDialer : watchedDialer(watch),
    context: nodeContext({ nodeIPs: [address], loopback: [] }),
  });
  const listener = await listenDatagrams({ address, port: 0 }, (at, message, source) => {
    forwarder.forward(at, message, source, () => decide(node, source, idleTimeoutMs));
  });
  return listener.local.port;
}

function decide(
  node: NodeBalancer,
  source: SocketAddress,
  idleTimeoutMs: number | undefined,
): Decision {
  const choice = node.choose(source);
  const refused: Decision = { kind: 'reject', reason: 'no backend' };
  if (choice === undefined) return refused;
  return {
    kind: 'forward',
    endpoint: choice.endpoint,
    masquerade: true,
    binding: choice.observer,
    ...(idleTimeoutMs === undefined
      ? {}
      : { relay: { dialTimeoutMs: 0, udpIdleTimeoutMs: idleTimeoutMs, retry: () => refused } }),
  };
}

/** As the direct one, with a watch over the requests of each flow. */
function watchedDialer(options: WatchOptions): Dialer {
  return {
    stream: (endpoint, source) => directDialer.stream(endpoint, source),
    datagrams: (endpoint, source): DatagramWay => ({
      kind: 'channel',
      open(receive) {
        const watch = new RequestWatch(options, podIndex(endpoint.address));
        const socket = new DatagramSocket(endpoint, source, (message) => {
          watch.fromServer(message);
          receive(message);
        });
        return {
          send(message) {
            watch.fromClient(message);
            socket.send(message);
          },
          close() {
            watch.end();
            socket.close();
          },
        };
      },
    }),
  };
}

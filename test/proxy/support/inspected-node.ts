// A node's proxy without sockets: its listeners only pretend, its flows go where a test says.
import { ManualClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { Service } from '../../../src/api/types/core.ts';
import type { EndpointSlice } from '../../../src/api/types/discovery.ts';
import type { ConnectionEvent, SocketAddress } from '../../../src/proxy/flow.ts';
import type { Dialer } from '../../../src/proxy/dialer.ts';
import type { ConnectionObserver } from '../../../src/proxy/engine/engine.ts';
import { Ingress } from '../../../src/proxy/ingress.ts';
import { PerServiceMode } from '../../../src/proxy/modes/per-service-mode.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import { NodeInspector } from '../../../src/proxy/node-inspector.ts';
import { Proxier } from '../../../src/proxy/proxier.ts';
import type { ProxyModeName } from '../../../src/proxy/proxy-mode.ts';
import type { DatagramListener } from '../../../src/proxy/udp/datagram-listener.ts';
import { cidr } from '../../ipam/addresses.ts';
import { type SocklessEngine, socklessEngine } from '../../support/sockless-engine.ts';

export const NODE_IP = '192.168.0.2';

export interface InspectedNode {
  readonly clock: ManualClock;
  readonly proxier: Proxier;
  readonly inspector: NodeInspector;
  readonly untold: SocklessEngine['untold'];
  /** A TCP connection; the function it returns tells what becomes of it. */
  readonly connect: (
    source: SocketAddress,
    destination: SocketAddress,
    /** Counts what the engine would. */
    traffic?: { bytesFromClient: number },
  ) => (event: ConnectionEvent) => void;
  /** A datagram; the function it returns is the endpoint's answer. */
  readonly ask: (source: SocketAddress, destination: SocketAddress) => () => void;
}

export function inspectedNode(
  modeName: ProxyModeName,
  objects: { readonly services: readonly Service[]; readonly slices: readonly EndpointSlice[] },
): InspectedNode {
  const clock = new ManualClock();
  const { engine, untold } = socklessEngine();
  const receivers: ((message: Uint8Array) => void)[] = [];
  const dialer: Dialer = {
    stream: ({ address, port }) => ({ kind: 'dial', address, port }),
    datagrams: () => ({
      kind: 'channel',
      open: (receive) => {
        receivers.push(receive);
        return { send: () => {}, close: () => {} };
      },
    }),
  };
  const context = nodeContext({
    nodeIPs: [NODE_IP],
    detectLocal: { mode: 'ClusterCIDR', cidrs: [cidr('10.244.0.0/16')] },
  });
  const events = { problem: () => {}, solved: () => {} };
  const mode = new PerServiceMode(modeName, { context, clock, random: seededRandom('node') });
  const proxier = new Proxier({
    nodeName: 'here',
    zone: '',
    mode,
    context,
    podCIDRs: [cidr('10.244.1.0/24')],
    ingress: new Ingress({ engine, clock, events }),
    dialer,
    clock,
  });
  for (const service of objects.services) proxier.setService(service);
  for (const slice of objects.slices) proxier.setSlice(slice);
  proxier.listed('services');
  proxier.listed('slices');
  clock.advance(0);
  return {
    clock,
    proxier,
    inspector: new NodeInspector({ proxier, mode, context, clock }),
    untold,
    connect: (
      source: SocketAddress,
      destination: SocketAddress,
      traffic: { bytesFromClient: number } = { bytesFromClient: 0 },
    ): ((event: ConnectionEvent) => void) => {
      const connection = {
        source,
        destination,
        get bytesFromClient() {
          return traffic.bytesFromClient;
        },
        bytesFromServer: 0,
        kill: () => {},
      };
      const route = proxier.route(connection);
      const observer: ConnectionObserver | undefined =
        route.kind === 'dial' ? route.observer : undefined;
      return (event) => observer?.event(event, connection);
    },
    ask: (source: SocketAddress, destination: SocketAddress): (() => void) => {
      const listener = { local: destination, send: () => {} } as unknown as DatagramListener;
      proxier.datagram(listener, Buffer.from('?'), source);
      return () => receivers.at(-1)?.(Buffer.from('!'));
    },
  };
}

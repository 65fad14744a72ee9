import type { Pod } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import { createEngine } from '../proxy/engine/create-engine.ts';
import { type Engine, type EngineListener, ListenError } from '../proxy/engine/engine.ts';
import type { SocketAddress } from '../proxy/flow.ts';
import { nodeContext } from '../proxy/node-context.ts';
import { listenDatagrams } from '../proxy/udp/datagram-listener.ts';
import { UdpForwarder } from '../proxy/udp/udp-forwarder.ts';
import type { PodPorts } from './pod-ports.ts';

/** One `hostPort` of a pod. */
export interface HostPort {
  readonly protocol: 'TCP' | 'UDP';
  /** Where the node listens: the port's hostIP, or the node's own address. */
  readonly at: SocketAddress;
  /** As the pod has it. */
  readonly containerPort: number;
}

/** The hostPorts of a pod that is not in the host's network, and those that cannot be served here. */
export function hostPortsOf(
  pod: Pod,
  nodeIP: string,
): { readonly served: readonly HostPort[]; readonly unserved: readonly string[] } {
  const served: HostPort[] = [];
  const unserved: string[] = [];
  for (const container of pod.spec.hostNetwork === true ? [] : pod.spec.containers)
    for (const { protocol = 'TCP', hostPort = 0, hostIP = '', containerPort } of container.ports ??
      []) {
      if (hostPort === 0) continue;
      const address = hostIP === '' || hostIP === '0.0.0.0' ? nodeIP : hostIP;
      if (protocol === 'SCTP') unserved.push(`${hostPort}/${protocol}`);
      else served.push({ protocol, at: { address, port: hostPort }, containerPort });
    }
  return { served, unserved };
}

/**
 * Leads ports of the node to its pods, as the portmap plugin does with DNAT: the pod sees the client's
 * address. Owns the sockets; the forwarders are made when a pod first asks.
 */
export class HostPorts implements Resource {
  readonly #clock: Clock;
  readonly #podPorts: PodPorts;
  readonly #lifetime = new Lifetime('host ports');
  #engine: Engine | undefined;
  #datagrams: UdpForwarder | undefined;

  constructor(clock: Clock, podPorts: PodPorts) {
    this.#clock = clock;
    this.#podPorts = podPorts;
  }

  /**
   * Listens until what it returns is closed, which leaves open connections alone and ends UDP flows. Told of
   * each port that cannot be had; the others are served.
   */
  async open(
    ports: readonly HostPort[],
    podIP: string,
    onRefused: (message: string) => void,
  ): Promise<Resource> {
    const listeners = new Lifetime(`host ports of ${podIP}`);
    for (const port of ports)
      try {
        if (port.protocol === 'TCP') listeners.own(await this.#listenTcp(port, podIP));
        else await this.#listenUdp(port, podIP, listeners);
      } catch (error) {
        if (!(error instanceof ListenError)) throw error;
        onRefused(errorMessage(error));
      }
    return listeners;
  }

  #listenTcp({ at, containerPort }: HostPort, podIP: string): Promise<EngineListener> {
    return this.#engineNow().listen({
      ...at,
      route: ({ source }) => ({
        kind: 'dial',
        address: podIP,
        port: this.#podPorts.dialPort(podIP, containerPort),
        localAddress: source.address,
      }),
    });
  }

  async #listenUdp(
    { at, containerPort }: HostPort,
    podIP: string,
    listeners: Lifetime,
  ): Promise<void> {
    const forwarder = this.#forwarderNow();
    const endpoint = { address: podIP, port: containerPort };
    const listener = await listenDatagrams(at, (to, message, source) =>
      forwarder.forward(to, message, source, () => ({
        kind: 'forward',
        endpoint,
        masquerade: false,
      })),
    ).catch((error: unknown) => {
      throw new ListenError(errorCode(error) ?? errorMessage(error), at, { cause: error });
    });
    listeners.own(listener);
    listeners.defer(() => forwarder.endAllTo(listener.local));
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #engineNow(): Engine {
    return (this.#engine ??= this.#lifetime.own(
      createEngine({ clock: this.#clock, choice: 'net' }),
    ));
  }

  /** The pods are on this node: their sockets are dialled from the client's address. */
  #forwarderNow(): UdpForwarder {
    if (this.#datagrams !== undefined) return this.#datagrams;
    const way = ({ address, port }: SocketAddress, localAddress: string) =>
      ({
        kind: 'dial',
        address,
        port: this.#podPorts.dialPort(address, port),
        localAddress,
      }) as const;
    const forwarder = new UdpForwarder({
      clock: this.#clock,
      dialer: { stream: way, datagrams: way },
      context: nodeContext({ nodeIPs: [] }),
    });
    this.#lifetime.defer(() => forwarder.endAll());
    this.#datagrams = forwarder;
    return forwarder;
  }
}

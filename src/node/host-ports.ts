import type { Pod } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import { createEngine } from '../proxy/engine/create-engine.ts';
import type { Engine } from '../proxy/engine/engine.ts';
import { ListenError } from '../proxy/engine/engine.ts';
import type { SocketAddress } from '../proxy/flow.ts';
import type { PodPorts } from './pod-ports.ts';

/** One `hostPort` of a pod. */
export interface HostPort {
  /** Where the node listens: the port's hostIP, or the node's own address. */
  readonly at: SocketAddress;
  /** As the pod has it. */
  readonly containerPort: number;
}

/** The hostPorts of a pod that is not in the host's network, and those that cannot be served here. */
export function hostPortsOf(
  pod: Pod,
  nodeIP: string,
): { readonly tcp: readonly HostPort[]; readonly other: readonly string[] } {
  const all = pod.spec.hostNetwork === true ? [] : pod.spec.containers;
  const ports = all
    .flatMap((container) => container.ports ?? [])
    .filter(({ hostPort = 0 }) => hostPort !== 0);
  return {
    tcp: ports
      .filter(({ protocol = 'TCP' }) => protocol === 'TCP')
      .map(({ hostIP = '', hostPort = 0, containerPort }) => ({
        at: { address: hostIP === '' || hostIP === '0.0.0.0' ? nodeIP : hostIP, port: hostPort },
        containerPort,
      })),
    other: ports
      .filter(({ protocol = 'TCP' }) => protocol !== 'TCP')
      .map(({ hostPort, protocol }) => `${hostPort}/${protocol}`),
  };
}

/**
 * Leads ports of the node to its pods, as the portmap plugin does with DNAT: the pod sees the client's
 * address. Owns the sockets; the engine is made when a pod first asks.
 */
export class HostPorts implements Resource {
  readonly #clock: Clock;
  readonly #podPorts: PodPorts;
  readonly #lifetime = new Lifetime('host ports');
  #engine: Engine | undefined;

  constructor(clock: Clock, podPorts: PodPorts) {
    this.#clock = clock;
    this.#podPorts = podPorts;
  }

  /**
   * Listens until what it returns is closed, which leaves open connections alone. Told of each port that
   * cannot be had; the others are served.
   */
  async open(
    ports: readonly HostPort[],
    podIP: string,
    onRefused: (message: string) => void,
  ): Promise<Resource> {
    const listeners = new Lifetime(`host ports of ${podIP}`);
    for (const { at, containerPort } of ports)
      try {
        listeners.own(
          await this.#engineNow().listen({
            ...at,
            route: ({ source }) => ({
              kind: 'dial',
              address: podIP,
              port: this.#podPorts.dialPort(podIP, containerPort),
              localAddress: source.address,
            }),
          }),
        );
      } catch (error) {
        if (!(error instanceof ListenError)) throw error;
        onRefused(errorMessage(error));
      }
    return listeners;
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
}

import type { Clock } from '../../base/clock.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { BoundAddress } from './bind-error.ts';
import {
  createQueryHandler,
  type QueryHandler,
  type QueryHandlerOptions,
} from './query-handler.ts';
import { TcpListener, type TcpLimits } from './tcp-listener.ts';
import { UdpListener } from './udp-listener.ts';

/** A free UDP port may be taken for TCP; how often to try another. */
const FREE_PORT_TRIES = 20;

interface DnsListenerOptions extends Omit<QueryHandlerOptions, 'corefilePort' | 'random'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly tcpLimits: TcpLimits;
}

/** UDP and TCP on one address and port. Owns both sockets. */
export class DnsListener implements Resource {
  readonly address: BoundAddress;
  readonly #lifetime: Lifetime;
  readonly #handlers: readonly QueryHandler[];

  private constructor(
    address: BoundAddress,
    lifetime: Lifetime,
    handlers: readonly QueryHandler[],
  ) {
    this.address = address;
    this.#lifetime = lifetime;
    this.#handlers = handlers;
  }

  /** Throws a PodwireError with code `DNS_BIND`. */
  static async open(
    rule: { readonly address: string; readonly port: number; readonly corefilePort: number },
    options: DnsListenerOptions,
  ): Promise<DnsListener> {
    const { address, port, corefilePort } = rule;
    const { random, log, clock, tcpLimits } = options;
    const udpHandler = createQueryHandler({ ...options, corefilePort, random: random.fork('udp') });
    const tcpHandler = createQueryHandler({ ...options, corefilePort, random: random.fork('tcp') });
    for (let tries = FREE_PORT_TRIES; ; tries -= 1) {
      const lifetime = new Lifetime(`DNS listener ${address}`);
      try {
        const udp = lifetime.own(await UdpListener.open(address, port, udpHandler, { clock, log }));
        const limits = { clock, limits: tcpLimits };
        lifetime.own(await TcpListener.open(address, udp.address.port, tcpHandler, limits));
        return new DnsListener(udp.address, lifetime, [udpHandler, tcpHandler]);
      } catch (error) {
        await lifetime[Symbol.asyncDispose]();
        if (port !== 0 || tries === 0) throw error;
      }
    }
  }

  /** Drops ready replies. */
  forget(): void {
    for (const handler of this.#handlers) handler.forget();
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

import { errorMessage, PodwireError } from '../../base/errors.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import { parseCorefile, sealedHost, type CorefileHost } from '../corefile/parse-corefile.ts';
import { DEFAULT_DNS_PORT } from '../corefile/zone-key.ts';
import type { DnsMessage } from '../message/message.ts';
import { pluginModules } from '../plugin/registry.ts';
import type { DnsEnvironment } from '../plugin/setup.ts';
import type { BoundAddress } from './bind-error.ts';
import { Dispatcher } from './dispatcher.ts';
import { createQueryHandler, type QueryHandler } from './query-handler.ts';
import { buildConfig, type ServerConfig } from './server-block.ts';
import { DEFAULT_TCP_LIMITS, TcpListener, type TcpLimits } from './tcp-listener.ts';
import { UdpListener } from './udp-listener.ts';

/** A socket address and the Corefile port it serves. */
export interface ListenRule {
  readonly address: string;
  /** 0: any free one, the same for UDP and TCP. */
  readonly port: number;
  /** Blocks of this port are served here. Default 53. */
  readonly corefilePort?: number;
}

export interface DnsServerOptions extends DnsEnvironment {
  readonly corefile: { readonly file: string; readonly text: string };
  /** Imports and environment variables of the Corefile. Default: neither. */
  readonly corefileHost?: CorefileHost;
  /** At least one. Corefile ports without a rule are opened as they are on the first rule's address. */
  readonly listen: readonly [ListenRule, ...ListenRule[]];
  readonly tcpLimits?: TcpLimits;
}

/** A free UDP port may be taken for TCP; how often to try another. */
const FREE_PORT_TRIES = 20;

interface Listener {
  readonly corefilePort: number;
  readonly handler: QueryHandler;
  readonly address: BoundAddress;
  readonly lifetime: Lifetime;
}

/**
 * A DNS server made from a Corefile: owns its sockets and plugins. Answers over UDP and TCP on every
 * address of its listen rules.
 */
export class DnsServer implements Resource {
  readonly #options: DnsServerOptions;
  readonly #lifetime = new Lifetime('DNS server');
  readonly #listeners: Listener[] = [];
  #dispatcher: Dispatcher;

  private constructor(options: DnsServerOptions, config: ServerConfig) {
    this.#options = options;
    this.#dispatcher = this.#dispatcherFor(config);
  }

  /**
   * Resolves once plugins have started and all sockets are bound. Throws a CorefileError, or a
   * PodwireError with code `DNS_BIND`.
   */
  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const blocks = parseCorefile(options.corefile, options.corefileHost ?? sealedHost);
    const config = await buildConfig(blocks, pluginModules, options);
    const server = new DnsServer(options, config);
    try {
      await server.#startInstances(config);
      for (const rule of rulesFor(options.listen, config)) await server.#listen(rule);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where it answers, in the order of the listen rules. */
  get addresses(): readonly BoundAddress[] {
    return this.#listeners.map(({ address }) => address);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #startInstances(config: ServerConfig): Promise<void> {
    for (const instance of config.instances) {
      this.#lifetime.defer(() => instance.close?.());
      await instance.start?.();
    }
  }

  async #listen(rule: Required<ListenRule>): Promise<void> {
    for (let tries = FREE_PORT_TRIES; ; tries -= 1) {
      const lifetime = new Lifetime(`DNS listener ${rule.address}`);
      try {
        const listener = await this.#openPair(rule, lifetime);
        this.#lifetime.own(lifetime);
        this.#listeners.push(listener);
        return;
      } catch (error) {
        await lifetime[Symbol.asyncDispose]();
        if (rule.port !== 0 || tries === 0) throw error;
      }
    }
  }

  async #openPair(rule: Required<ListenRule>, lifetime: Lifetime): Promise<Listener> {
    const { clock, random, log, tcpLimits } = this.#options;
    const handlerOptions = {
      corefilePort: rule.corefilePort,
      clock,
      random: random.fork(`dns ${rule.address}:${rule.port}`),
      dispatcher: () => this.#dispatcher,
      mayRepeat: () => true,
      onUnmatched: () => {},
      onError: (error: unknown, query: DnsMessage) =>
        log.error({ err: error, question: query.questions[0] }, 'a reply could not be written'),
    };
    const udpHandler = createQueryHandler(handlerOptions);
    const udp = lifetime.own(await UdpListener.open(rule.address, rule.port, udpHandler, log));
    const tcpHandler = createQueryHandler(handlerOptions);
    const limits = tcpLimits ?? DEFAULT_TCP_LIMITS;
    lifetime.own(
      await TcpListener.open(rule.address, udp.address.port, tcpHandler, { clock, limits }),
    );
    return { corefilePort: rule.corefilePort, handler: udpHandler, address: udp.address, lifetime };
  }

  #dispatcherFor(config: ServerConfig): Dispatcher {
    const { clock, log } = this.#options;
    return new Dispatcher(config, clock, (error, request) =>
      log.error({ err: error, name: request.name }, `plugin panicked: ${errorMessage(error)}`),
    );
  }
}

function rulesFor(
  listen: readonly [ListenRule, ...ListenRule[]],
  config: ServerConfig,
): Required<ListenRule>[] {
  const rules = listen.map((rule) => ({ corefilePort: DEFAULT_DNS_PORT, ...rule }));
  const covered = new Set(rules.map(({ corefilePort }) => corefilePort));
  const missing = [...config.ports.keys()].filter((port) => !covered.has(port));
  if (config.ports.size === 0)
    throw new PodwireError('COREFILE_INVALID', 'the Corefile has no server block');
  const { address } = listen[0];
  return [
    ...rules.filter(({ corefilePort }) => config.ports.has(corefilePort)),
    ...missing.map((port) => ({ address, port, corefilePort: port })),
  ];
}

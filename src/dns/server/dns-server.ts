import type { Clock } from '../../base/clock.ts';
import { errorMessage, PodwireError } from '../../base/errors.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import { parseCorefile, sealedHost, type CorefileHost } from '../corefile/parse-corefile.ts';
import { DEFAULT_DNS_PORT } from '../corefile/zone-key.ts';
import { formatQuery } from '../explain/format-query.ts';
import { FaultInjector } from '../faults/fault-injector.ts';
import { rcodeName } from '../message/codes.ts';
import { queryFor, replyTo, type DnsMessage } from '../message/message.ts';
import { HttpEndpoints } from '../metrics/http-endpoints.ts';
import { MetricFamilies } from '../metrics/metric-families.ts';
import { RequestMetrics } from '../metrics/request-metrics.ts';
import { machineFiles } from '../plugin/machine-files.ts';
import type { Peer } from '../plugin/plugin.ts';
import { QueryTrace } from '../plugin/query-trace.ts';
import { pluginModules } from '../plugin/registry.ts';
import type { DnsEnvironment } from '../plugin/setup.ts';
import type { BoundAddress } from './bind-error.ts';
import { ConfigInForce } from './config-in-force.ts';
import type { Arrival, Dispatched } from './dispatcher.ts';
import { DnsListener } from './dns-listener.ts';
import type { ObservedQuery } from './observed-query.ts';
import { buildConfig, type ServerConfig, type SharedContext } from './server-block.ts';
import { DEFAULT_TCP_LIMITS, type TcpLimits } from './tcp-listener.ts';

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

/** One query asked inside the process, with how its answer came about. */
export interface TracedAnswer {
  readonly reply: DnsMessage | undefined;
  readonly trace: QueryTrace;
}

/**
 * A DNS server made from a Corefile: owns its sockets, HTTP endpoints and plugins. Answers over UDP and
 * TCP on every address of its listen rules. The Corefile can be changed while it runs.
 */
export class DnsServer implements Resource {
  /** Changeable at run time; without faults it costs nothing. */
  readonly faults: FaultInjector;
  readonly #options: DnsServerOptions;
  readonly #lifetime = new Lifetime('DNS server');
  readonly #listeners = new Map<string, DnsListener>();
  readonly #shared: SharedContext;
  readonly #requests: RequestMetrics;
  readonly #observers = new Set<(query: ObservedQuery) => void>();
  #current: ConfigInForce;
  #applying: Promise<void> = Promise.resolve();

  private constructor(options: DnsServerOptions) {
    this.#options = options;
    this.faults = new FaultInjector(options.clock, options.random.fork('faults'), () =>
      this.#forgetAnswers(),
    );
    const families = new MetricFamilies(options.metrics);
    this.#requests = new RequestMetrics(families);
    const { metrics: _registry, hostAddress, ...environment } = options;
    const http = this.#lifetime.own(new HttpEndpoints(hostAddress));
    this.#shared = {
      ...environment,
      ...(hostAddress === undefined ? {} : { hostAddress }),
      families,
      http,
      requests: this.#requests,
      files: options.files ?? machineFiles,
      resolve: async (name, type) => this.#resolve(name, type),
      apply: (text) => this.apply(text),
      upstreamFailure: (asked) => this.faults.upstreamFailure(asked),
    };
    families
      .gauge('coredns_build_info', 'Which program this is.', ['version', 'revision', 'goversion'])
      .of('podwire', '', process.version).value = 1;
    this.#current = this.#inForce(EMPTY_CONFIG);
  }

  /**
   * Resolves once plugins have started and all sockets are bound. Throws a CorefileError, or a
   * PodwireError with code `DNS_BIND`.
   */
  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const server = new DnsServer(options);
    try {
      await server.apply(options.corefile.text);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where it answers, in the order of the listen rules. */
  get addresses(): readonly BoundAddress[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /**
   * Puts a Corefile in force without losing a query: sockets stay, the old plugins finish what they
   * began. When the new one is no good, throws and the old one stays.
   */
  apply(text: string): Promise<void> {
    const applied = this.#applying.then(() => this.#apply(text));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  /** Asks as `peer` would, without sockets and ready replies, and tells how the answer came about. */
  async trace(message: DnsMessage, peer: Peer): Promise<TracedAnswer> {
    const trace = new QueryTrace();
    const { outcome } = await this.#dispatch(message, peer, trace);
    if (outcome.kind === 'reply') return { reply: outcome.message, trace };
    if (outcome.kind !== 'rcode') return { reply: undefined, trace };
    if (outcome.error !== undefined) trace.add({ plugin: '', what: outcome.error.message });
    return { reply: replyTo(message, { rcode: outcome.rcode }), trace };
  }

  /** Tells of every query from now on, until the returned function is called. Answers are computed one by one then. */
  observe(observer: (query: ObservedQuery) => void): () => void {
    // Two subscriptions of one function are two.
    const own = (query: ObservedQuery): void => observer(query);
    this.#observers.add(own);
    return () => void this.#observers.delete(own);
  }

  /** Lets plugins drain (lameduck), then answers what is under way, then closes. */
  async close(): Promise<void> {
    await this.#current.drain();
    await this.#lifetime.close();
    await this.#current.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
    await this.#current.close();
  }

  async #apply(text: string): Promise<void> {
    const { corefile, corefileHost, listen } = this.#options;
    const blocks = parseCorefile({ file: corefile.file, text }, corefileHost ?? sealedHost);
    const config = await buildConfig(blocks, pluginModules, this.#shared);
    const next = this.#inForce(config);
    const opened: string[] = [];
    try {
      await next.start();
      const rules = rulesFor(listen, config);
      for (const rule of rules) {
        const key = keyOf(rule);
        if (this.#listeners.has(key)) continue;
        this.#listeners.set(key, await this.#listen(rule));
        opened.push(key);
      }
      await this.#swap(next, new Set(rules.map(keyOf)));
    } catch (error) {
      for (const key of opened) await this.#closeListener(key);
      await next.close();
      throw error;
    }
  }

  async #swap(next: ConfigInForce, wanted: ReadonlySet<string>): Promise<void> {
    const before = this.#current;
    this.#current = next;
    this.#forgetAnswers();
    for (const key of this.#listeners.keys()) if (!wanted.has(key)) await this.#closeListener(key);
    before.describe(0);
    next.describe(1);
    await before.idle();
    await before.close();
  }

  async #closeListener(key: string): Promise<void> {
    const listener = this.#listeners.get(key);
    this.#listeners.delete(key);
    await listener?.close();
  }

  async #listen(rule: Required<ListenRule>): Promise<DnsListener> {
    const { clock, random, log, tcpLimits } = this.#options;
    const listener = await DnsListener.open(rule, {
      clock,
      log,
      random: random.fork(`dns ${keyOf(rule)}`),
      tcpLimits: tcpLimits ?? DEFAULT_TCP_LIMITS,
      unready: () => this.faults.active || this.#observers.size > 0,
      dispatch: (arrival) => this.#answer(arrival),
      onUnmatched: (dispatched, rcode, replyBytes) =>
        this.#countUnmatched(dispatched, rcode, replyBytes, clock),
      onError: (error, query) =>
        log.error({ err: error, question: query.questions[0] }, 'a reply could not be written'),
    });
    return this.#lifetime.own(listener);
  }

  async #answer(arrival: Arrival): Promise<Dispatched> {
    if (this.#observers.size === 0) return this.#throughFaults(arrival);
    const trace = arrival.trace ?? new QueryTrace();
    const dispatched = await this.#throughFaults({ ...arrival, trace });
    dispatched.request.reuse.refuse();
    const query = this.#observed(dispatched, trace);
    for (const observer of this.#observers) observer(query);
    return dispatched;
  }

  #observed(dispatched: Dispatched, { steps }: QueryTrace): ObservedQuery {
    const { clock, podOf } = this.#options;
    const { peer, receivedAt } = dispatched.request;
    const durationMs = clock.now() - receivedAt;
    return { dispatched, steps, pod: podOf?.(peer.address), durationMs };
  }

  #throughFaults(arrival: Arrival): Promise<Dispatched> {
    return this.faults.active
      ? this.faults.apply(arrival, (passed) => this.#current.dispatch(passed))
      : this.#current.dispatch(arrival);
  }

  #countUnmatched(dispatched: Dispatched, rcode: number, bytes: number, clock: Clock): void {
    this.#requests.reportUnmatched(dispatched.request, rcodeName(rcode), bytes, clock.now());
  }

  #inForce(config: ServerConfig): ConfigInForce {
    const { clock, log } = this.#options;
    return new ConfigInForce(config, {
      clock,
      enabled: this.#requests.enabled,
      onTraced: (dispatched, trace) =>
        log.info(`plugin/debug: ${formatQuery(this.#observed(dispatched, trace))}`),
      onPanic: (error, request) => {
        this.#requests.panics.value += 1;
        log.error({ err: error, name: request.name }, `plugin panicked: ${errorMessage(error)}`);
      },
    });
  }

  #forgetAnswers(): void {
    for (const listener of this.#listeners.values()) listener.forget();
  }

  async #resolve(name: string, type: number): Promise<DnsMessage> {
    const message = queryFor({ name, type });
    const { outcome } = await this.#dispatch(message, SELF);
    return outcome.kind === 'reply'
      ? outcome.message
      : replyTo(message, { rcode: outcome.kind === 'rcode' ? outcome.rcode : 2 });
  }

  #dispatch(message: DnsMessage, peer: Peer, trace?: QueryTrace): Promise<Dispatched> {
    const [address] = this.addresses;
    return this.#throughFaults({
      message,
      peer,
      local: address ?? { address: SELF.address, port: DEFAULT_DNS_PORT },
      corefilePort: this.#options.listen[0].corefilePort ?? DEFAULT_DNS_PORT,
      queryBytes: 0,
      receivedAt: this.#options.clock.now(),
      ...(trace === undefined ? {} : { trace }),
    });
  }
}

/** Who asks when the server asks itself. */
const SELF: Peer = { address: '127.0.0.1', port: 0, family: 'IPv4', protocol: 'udp' };

const EMPTY_CONFIG: ServerConfig = { ports: new Map(), instances: [], enabled: [], traces: false };

function keyOf({ address, port, corefilePort }: Required<ListenRule>): string {
  return `${address}:${port} for :${corefilePort}`;
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

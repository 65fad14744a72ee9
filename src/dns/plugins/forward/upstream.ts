import type { Clock, Timer } from '../../../base/clock.ts';
import { PodwireError } from '../../../base/errors.ts';
import type { Random } from '../../../base/random.ts';
import { rcodeName, RecordType } from '../../message/codes.ts';
import { decodeMessage } from '../../message/decode-message.ts';
import { encodeMessage, MAX_MESSAGE_BYTES } from '../../message/encode-message.ts';
import { queryFor, type DnsMessage } from '../../message/message.ts';
import type { MetricFamilies } from '../../metrics/metric-families.ts';
import type { TransportProtocol } from '../../plugin/plugin.ts';
import { openConnection, upstreamError, type Connection } from './connection.ts';
import { upstreamLabel, type ForwardOptions, type UpstreamAddress } from './options.ts';

/** Idle sockets kept for one upstream and protocol. */
const MAX_IDLE = 256;
const CONNECT_TIMEOUT_MS = 5000;
const HEALTH_TIMEOUT_MS = 1000;
/** CoreDNS plugin/pkg/proxy: 0.25 ms doubling, 15 buckets. Seconds. */
const DURATION_BOUNDS = Array.from({ length: 15 }, (_, index) => 0.000_25 * 2 ** index);

export interface UpstreamServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly families: MetricFamilies;
}

interface IdleConnection {
  readonly connection: Connection;
  readonly since: number;
}

/** One upstream server: its sockets and its health. Owns both; end it with {@link close}. */
export class Upstream {
  readonly label: string;
  readonly #to: UpstreamAddress;
  readonly #options: ForwardOptions;
  readonly #services: UpstreamServices;
  readonly #idle: Record<TransportProtocol, IdleConnection[]> = { udp: [], tcp: [] };
  readonly #busy = new Set<Connection>();
  #fails = 0;
  #probe: Timer | undefined;
  #probing = false;
  #sweep: Timer | undefined;
  #closed = false;

  constructor(to: UpstreamAddress, options: ForwardOptions, services: UpstreamServices) {
    this.#to = to;
    this.#options = options;
    this.#services = services;
    this.label = upstreamLabel(to);
  }

  /** More than max_fails health checks in a row went unanswered. */
  get down(): boolean {
    return this.#options.maxFails > 0 && this.#fails > this.#options.maxFails;
  }

  /** Sends a query with an id of its own and waits for its reply, which gets the query's id back. */
  async exchange(query: DnsMessage, protocol: TransportProtocol): Promise<DnsMessage> {
    const { clock } = this.#services;
    const startedAt = clock.now();
    const reply = await this.#tryExchange(query, protocol, this.#options.readTimeoutMs);
    this.#durations(rcodeName(reply.rcode)).observe((clock.now() - startedAt) / 1000);
    return { ...reply, id: query.id };
  }

  /** Begins to ask whether it is alive, until it answers. */
  checkHealth(): void {
    if (this.#options.maxFails === 0 || this.#probing || this.#closed) return;
    this.#probing = true;
    void this.#probeOnce();
  }

  close(): void {
    this.#closed = true;
    this.#probe?.cancel();
    this.#sweep?.cancel();
    for (const { connection } of [...this.#idle.udp, ...this.#idle.tcp]) connection.close();
    for (const connection of this.#busy) {
      const { events } = connection;
      connection.close();
      events?.failed(new PodwireError('DNS_UPSTREAM', `${this.label}: the server is closing`));
    }
  }

  async #probeOnce(): Promise<void> {
    const query = queryFor(
      { name: this.#options.healthCheckDomain, type: RecordType.NS },
      { recursionDesired: this.#options.healthCheckRecursion },
    );
    const protocol = this.#options.forceTcp ? 'tcp' : 'udp';
    try {
      await this.#tryExchange(query, protocol, HEALTH_TIMEOUT_MS);
      this.#fails = 0;
      this.#probing = false;
    } catch {
      this.#fails += 1;
      this.#services.families
        .counter('coredns_proxy_healthcheck_failures_total', 'Failed health checks.', [
          'proxy_name',
          'to',
        ])
        .of('forward', this.label).value += 1;
      if (this.#closed) return;
      const { healthCheckMs } = this.#options;
      this.#probe = this.#services.clock.setTimer(healthCheckMs, () => void this.#probeOnce());
    }
  }

  async #tryExchange(
    query: DnsMessage,
    protocol: TransportProtocol,
    timeoutMs: number,
  ): Promise<DnsMessage> {
    for (;;) {
      const { connection, cached } = await this.#connection(protocol);
      try {
        return await this.#roundTrip(connection, query, timeoutMs);
      } catch (error) {
        // A kept connection may have been closed by the other side meanwhile: that says nothing.
        const stale = cached && protocol === 'tcp' && connection.closed && !this.#closed;
        connection.close();
        if (!stale) throw error;
      }
    }
  }

  async #connection(
    protocol: TransportProtocol,
  ): Promise<{ connection: Connection; cached: boolean }> {
    const { clock } = this.#services;
    const idle = this.#idle[protocol];
    for (let kept = idle.pop(); kept !== undefined; kept = idle.pop()) {
      if (!kept.connection.closed) {
        this.#connectionCache('hits', protocol).value += 1;
        return { connection: kept.connection, cached: true };
      }
    }
    this.#connectionCache('misses', protocol).value += 1;
    const connection = await openConnection(protocol, this.#to, {
      clock,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    });
    if (this.#closed) {
      connection.close();
      throw new PodwireError('DNS_UPSTREAM', `${this.label}: the server is closing`);
    }
    return { connection, cached: false };
  }

  #roundTrip(connection: Connection, query: DnsMessage, timeoutMs: number): Promise<DnsMessage> {
    const { clock, random } = this.#services;
    const id = random.below(0x1_0000);
    const limits = { maxBytes: MAX_MESSAGE_BYTES, compress: false };
    const { bytes } = encodeMessage({ ...query, id }, limits);
    this.#busy.add(connection);
    return new Promise<DnsMessage>((resolve, reject) => {
      const finish = (): void => {
        timer.cancel();
        this.#busy.delete(connection);
        connection.events = undefined;
      };
      const fail = (error: Error): void => {
        finish();
        reject(error);
      };
      const timer = clock.setTimer(timeoutMs, () => {
        connection.close();
        fail(upstreamError('read', connection.protocol, this.#to, new Error('i/o timeout')));
      });
      connection.events = {
        failed: fail,
        message: (reply) => {
          const message = decodeReply(reply, id);
          // Somebody else's reply, or garbage: go on waiting for ours.
          if (message === undefined) return;
          finish();
          this.#keep(connection);
          resolve(message);
        },
      };
      connection.send(bytes);
    });
  }

  #keep(connection: Connection): void {
    const idle = this.#idle[connection.protocol];
    if (this.#closed || connection.closed || idle.length >= (this.#options.maxIdle || MAX_IDLE)) {
      connection.close();
      return;
    }
    idle.push({ connection, since: this.#services.clock.now() });
    this.#sweep ??= this.#services.clock.setTimer(this.#options.expireMs, () => this.#closeIdle());
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const oldest = this.#services.clock.now() - this.#options.expireMs;
    for (const protocol of ['udp', 'tcp'] as const) {
      const idle = this.#idle[protocol];
      for (const { connection, since } of idle) if (since <= oldest) connection.close();
      this.#idle[protocol] = idle.filter(({ connection }) => !connection.closed);
    }
    if (this.#idle.udp.length + this.#idle.tcp.length > 0)
      this.#sweep = this.#services.clock.setTimer(this.#options.expireMs, () => this.#closeIdle());
  }

  #connectionCache(kind: 'hits' | 'misses', protocol: TransportProtocol): { value: number } {
    return this.#services.families
      .counter(`coredns_proxy_conn_cache_${kind}_total`, `Connection cache ${kind}.`, [
        'proxy_name',
        'to',
        'proto',
      ])
      .of('forward', this.label, protocol);
  }

  #durations(rcode: string): { observe(value: number): void } {
    return this.#services.families
      .histogram(
        'coredns_proxy_request_duration_seconds',
        'Time each upstream took, in seconds.',
        ['proxy_name', 'to', 'rcode'],
        DURATION_BOUNDS,
      )
      .of('forward', this.label, rcode);
  }
}

function decodeReply(bytes: Buffer, id: number): DnsMessage | undefined {
  if (bytes.length < 12 || bytes.readUInt16BE(0) !== id) return undefined;
  try {
    const message = decodeMessage(bytes);
    return message.response ? message : undefined;
  } catch {
    return undefined;
  }
}

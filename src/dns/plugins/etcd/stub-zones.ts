import type { Clock, Timer } from '../../../base/clock.ts';
import { parseIp } from '../../../base/ip.ts';
import type { Logger } from '../../../base/log.ts';
import { errorMessage } from '../../../base/errors.ts';
import type { DnsRequest, Outcome } from '../../plugin/plugin.ts';
import type { KeyValueReader } from '../../plugin/key-value.ts';
import { Rcode } from '../../message/codes.ts';
import { matchingZone } from '../../message/name.ts';
import type { EdnsOption } from '../../message/message.ts';
import type { UpstreamAddress } from '../forward/options.ts';
import { keyOfName, nameOfKey } from './message.ts';

const REFRESH_MS = 10_000;
const CALL = { timeoutMs: 4000 } as const;
/** SkyDNS marks what it forwards for a stub zone, so that two servers cannot send it in circles. */
export const STUB_LOOP_OPTION: EdnsOption = { code: 65_011, data: Buffer.from([1]) };

/** Sends a query to one of some servers. */
export interface StubExchange {
  ask(request: DnsRequest, servers: readonly UpstreamAddress[]): Promise<Outcome>;
  close(): void;
}

/**
 * SkyDNS stub zones: `PREFIX/ZONE/dns/stub/DOMAIN/NAME` holds the address of a server that knows DOMAIN.
 * Read again every ten seconds. Owns one timer and the sockets of its exchange.
 */
export class StubZones {
  readonly #exchange: StubExchange;
  readonly #clock: Clock;
  readonly #log: Logger;
  #zones: ReadonlyMap<string, readonly UpstreamAddress[]> = new Map();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(exchange: StubExchange, clock: Clock, log: Logger) {
    this.#exchange = exchange;
    this.#clock = clock;
    this.#log = log;
  }

  /** Loads once, then keeps following. */
  async follow(store: KeyValueReader, zones: readonly string[], prefix: string): Promise<void> {
    try {
      this.#zones = await readStubs(store, zones, prefix);
    } catch (error) {
      this.#log.warn(`plugin/etcd: stub zones: ${errorMessage(error)}`);
    }
    if (this.#stopped) return;
    this.#timer = this.#clock.setTimer(REFRESH_MS, () => void this.follow(store, zones, prefix));
  }

  /** Undefined when the name is in no stub zone. */
  serve(request: DnsRequest): Promise<Outcome> | undefined {
    const zone = matchingZone([...this.#zones.keys()], request.name);
    const servers = zone === undefined ? undefined : this.#zones.get(zone);
    if (servers === undefined) return undefined;
    const looped = request.message.edns?.options.some(
      ({ code, data }) => code === STUB_LOOP_OPTION.code && data[0] === 1,
    );
    if (looped === true) return Promise.resolve({ kind: 'rcode', rcode: Rcode.REFUSED });
    request.trace?.add({ plugin: 'etcd', what: `stub zone ${zone}` });
    return this.#exchange.ask(request, servers);
  }

  close(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#exchange.close();
  }
}

async function readStubs(
  store: KeyValueReader,
  zones: readonly string[],
  prefix: string,
): Promise<Map<string, UpstreamAddress[]>> {
  const stubs = new Map<string, UpstreamAddress[]>();
  for (const zone of zones) {
    const root = `${keyOfName(`stub.dns.${zone}`, prefix)}/`;
    for (const { key, value } of await store.list(root, CALL)) {
      const server = parseServer(value);
      const domainPath = key.slice(root.length).split('/').slice(0, -1);
      if (server === undefined || domainPath.length === 0) continue;
      const domain = nameOfKey(`/${prefix}/${domainPath.join('/')}`, prefix);
      stubs.set(domain, [...(stubs.get(domain) ?? []), server]);
    }
  }
  return stubs;
}

function parseServer(value: string): UpstreamAddress | undefined {
  try {
    const { host, port } = JSON.parse(value) as { host?: unknown; port?: unknown };
    if (typeof host !== 'string' || parseIp(host) === undefined) return undefined;
    return { address: host, port: typeof port === 'number' && port > 0 ? port : 53 };
  } catch {
    return undefined;
  }
}

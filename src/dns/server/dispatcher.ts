import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import { parentOf, foldName } from '../message/name.ts';
import { Rcode, RecordClass, RecordType } from '../message/codes.ts';
import { queryFor, replyTo, type DnsMessage } from '../message/message.ts';
import type { DnsRequest, Outcome, Peer } from '../plugin/plugin.ts';
import { Reuse } from '../plugin/reuse.ts';
import type { QueryTrace } from '../plugin/query-trace.ts';
import type { ServerConfig, ZoneServer } from './server-block.ts';

/** CNAME targets may lead back into this server this many times (CoreDNS's maxreentries). */
const MAX_LOOKUP_DEPTH = 10;

/** A query that passed the screening, and where it came in. */
export interface Arrival {
  readonly message: DnsMessage;
  readonly peer: Peer;
  readonly local: { readonly address: string; readonly port: number };
  /** The port of the Corefile that this socket stands for. */
  readonly corefilePort: number;
  readonly queryBytes: number;
  readonly receivedAt: number;
  readonly trace?: QueryTrace;
}

/** The request as the chain saw it, and what came of it. */
export interface Dispatched {
  readonly request: DnsRequest;
  readonly outcome: Outcome;
  /** No server block wanted it. */
  readonly unmatched: boolean;
}

/** Finds the server block for a query and runs its chain (core/dnsserver/server.go ServeDNS). */
export class Dispatcher {
  readonly #config: ServerConfig;
  readonly #clock: Clock;
  readonly #onPanic: (error: unknown, request: DnsRequest) => void;

  constructor(
    config: ServerConfig,
    clock: Clock,
    onPanic: (error: unknown, request: DnsRequest) => void,
  ) {
    this.#config = config;
    this.#clock = clock;
    this.#onPanic = onPanic;
  }

  async dispatch(arrival: Arrival, depth = 0): Promise<Dispatched> {
    const [question] = arrival.message.questions;
    if (question === undefined) throw new RangeError('a screened query has one question');
    const name = foldName(question.name);
    const zones = this.#config.ports.get(arrival.corefilePort);
    const zoneServer = zones === undefined ? undefined : zoneServerFor(zones, name, question.type);
    const { message, peer, local, queryBytes, receivedAt, trace } = arrival;
    const request: DnsRequest = {
      message,
      question,
      name,
      peer,
      local,
      queryBytes,
      receivedAt,
      server: zoneServer?.server ?? `dns://:${arrival.corefilePort}`,
      zone: zoneServer?.zone ?? '',
      reuse: new Reuse(),
      limits: { udpBytes: message.edns?.udpBytes ?? 0 },
      metadata: new Map(),
      ...(trace === undefined ? {} : { trace }),
      lookup: (target, type) => this.#lookup(arrival, target, type, depth),
    };
    const anyClass = [...(zones?.values() ?? [])].some((server) => server.anyClass);
    if (question.class !== RecordClass.IN && !anyClass) return unmatched(request);
    if (message.edns !== undefined && message.edns.version !== 0)
      return { request, outcome: badVersion(request), unmatched: false };
    if (zoneServer?.handler === undefined) return unmatched(request);
    return { request, outcome: await this.#run(zoneServer.handler, request), unmatched: false };
  }

  async #run(
    handler: (request: DnsRequest) => Promise<Outcome>,
    request: DnsRequest,
  ): Promise<Outcome> {
    try {
      return await handler(request);
    } catch (error) {
      this.#onPanic(error, request);
      return {
        kind: 'rcode',
        rcode: Rcode.SERVFAIL,
        error: error instanceof Error ? error : new Error(errorMessage(error)),
      };
    }
  }

  async #lookup(arrival: Arrival, name: string, type: number, depth: number): Promise<DnsMessage> {
    const message = queryFor({ name, type });
    if (depth >= MAX_LOOKUP_DEPTH) return replyTo(message, { rcode: Rcode.SERVFAIL });
    const { outcome } = await this.dispatch(
      { ...arrival, message, receivedAt: this.#clock.now() },
      depth + 1,
    );
    switch (outcome.kind) {
      case 'reply':
        return outcome.message;
      case 'rcode':
        return replyTo(message, { rcode: outcome.rcode });
      case 'transfer':
      case 'drop':
        return replyTo(message, { rcode: Rcode.SERVFAIL });
    }
  }
}

/** The most specific zone; DS belongs to the parent's side of a cut, so it takes the least specific. */
function zoneServerFor(
  zones: ReadonlyMap<string, ZoneServer>,
  name: string,
  type: number,
): ZoneServer | undefined {
  let forDs: ZoneServer | undefined;
  for (
    let suffix: string | undefined = name;
    suffix !== undefined && suffix !== '.';
    suffix = parentOf(suffix)
  ) {
    const server = zones.get(suffix);
    if (server === undefined) continue;
    if (type !== RecordType.DS) return server;
    forDs = server;
  }
  return forDs ?? zones.get('.');
}

function unmatched(request: DnsRequest): Dispatched {
  request.reuse.refuse();
  return { request, outcome: { kind: 'rcode', rcode: Rcode.REFUSED }, unmatched: true };
}

/** RFC 6891 §6.1.3; the OPT says nothing else, as CoreDNS's. */
function badVersion(request: DnsRequest): Outcome {
  const message = replyTo(request.message, { rcode: Rcode.BADVERS });
  return { kind: 'reply', message, plugin: '' };
}

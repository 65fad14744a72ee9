import type { DnsMessage, Question } from '../message/message.ts';
import type { QueryTrace } from './query-trace.ts';
import type { Reuse } from './reuse.ts';

export type TransportProtocol = 'udp' | 'tcp';

/** Who asked, and over what. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6';
  readonly protocol: TransportProtocol;
}

/** One query on its way through a chain. Plugins pass on a changed copy; they never write to it. */
export interface DnsRequest {
  readonly message: DnsMessage;
  readonly question: Question;
  /** The question's name, folded. */
  readonly name: string;
  readonly peer: Peer;
  /** The address the query was sent to. */
  readonly local: { readonly address: string; readonly port: number };
  /** Size of the query as it came in. */
  readonly queryBytes: number;
  /** The server block: its address as CoreDNS prints it (`dns://:53`) and the zone that matched. */
  readonly server: string;
  readonly zone: string;
  /** Monotonic milliseconds at arrival. */
  readonly receivedAt: number;
  readonly reuse: Reuse;
  /** What the reply must keep to; shared by all copies of the request, so plugins may lower it. */
  readonly limits: { udpBytes: number };
  /** Values other plugins may show, by name (`kubernetes/client-namespace`). */
  readonly metadata: Map<string, () => string>;
  /** Present when somebody wants to know how the answer came about. */
  readonly trace?: QueryTrace;
  /** Asks this same server, from the top of the right chain: how CNAME targets are chased. */
  lookup(name: string, type: number): Promise<DnsMessage>;
}

/**
 * How a chain ends. `reply` was written by a plugin; `rcode` is a bare error nobody wrote, which the
 * server turns into a reply; `transfer` is a run of messages over TCP; `drop` stays silent.
 */
export type Outcome =
  | {
      readonly kind: 'reply';
      readonly message: DnsMessage;
      readonly plugin: string;
      readonly error?: Error;
    }
  | { readonly kind: 'rcode'; readonly rcode: number; readonly error?: Error }
  | { readonly kind: 'transfer'; readonly messages: readonly DnsMessage[]; readonly plugin: string }
  | { readonly kind: 'drop' };

export type Handler = (request: DnsRequest) => Promise<Outcome>;

/** A link of the chain: answers, or asks the next one. */
export interface Plugin {
  /** As in the Corefile. */
  readonly name: string;
  /**
   * The plugin tells {@link DnsRequest.reuse} all that its answers depend on, so that they may be given
   * again without asking it. Without this every answer that passed through it is computed afresh.
   */
  readonly declaresReuse?: boolean;
  serve(request: DnsRequest, next: Handler): Promise<Outcome>;
}

import type { SocketAddress } from '../flow.ts';
import type { Destination } from './destination.ts';
import type { TcpState } from './tcp-states.ts';
import type { Expirable } from './timer-heap.ts';
import type { VirtualService } from './virtual-service.ts';

/** 'IP': a persistence template of a fwmark service, shared by all protocols. */
export type ConnectionProtocol = 'TCP' | 'UDP' | 'IP';

/** What `ipvsadm -Lnc` shows: of templates ASSURED or NONE. */
export type ConnectionState = TcpState | 'UDP' | 'ASSURED';

export interface ConnectionInit {
  readonly protocol: ConnectionProtocol;
  readonly client: SocketAddress;
  readonly virtual: SocketAddress;
  readonly service: VirtualService;
  readonly destination: Destination;
  readonly destinationPort: number;
  readonly timeoutMs: number;
  readonly template?: boolean;
  readonly onePacket?: boolean;
}

/**
 * An entry of the connection table (struct ip_vs_conn): a client's connection, or a persistence template
 * with client port 0. Only the table writes to it.
 */
export class Connection implements Expirable {
  readonly protocol: ConnectionProtocol;
  readonly client: SocketAddress;
  readonly virtual: SocketAddress;
  /** The service it was scheduled by; its later editions do not touch the entry. */
  readonly service: VirtualService;
  readonly destination: Destination;
  readonly destinationPort: number;
  readonly template: boolean;
  /** One-packet scheduling: ends with the datagram that made it. */
  readonly onePacket: boolean;
  readonly key: string;
  state: ConnectionState = 'NONE';
  active = false;
  timeoutMs: number;
  /** The template that decided for it. */
  control: Connection | undefined;
  /** How many entries this template holds. */
  controlled = 0;
  /** A template that is not used any more but stays until its timer ends. */
  invalid = false;
  /** No longer in the table. */
  ended = false;
  expiresAtMs = 0;
  heapKeyMs = 0;
  heapIndex = -1;
  readonly #onExpire: (connection: Connection) => void;

  constructor(init: ConnectionInit, onExpire: (connection: Connection) => void) {
    this.protocol = init.protocol;
    this.client = init.client;
    this.virtual = init.virtual;
    this.service = init.service;
    this.destination = init.destination;
    this.destinationPort = init.destinationPort;
    this.timeoutMs = init.timeoutMs;
    this.template = init.template ?? false;
    this.onePacket = init.onePacket ?? false;
    this.key = connectionKey(init.protocol, init.client, init.virtual, this.template);
    this.#onExpire = onExpire;
  }

  onExpire(): void {
    this.#onExpire(this);
  }
}

/** Templates have a name space of their own. */
export function connectionKey(
  protocol: ConnectionProtocol,
  client: SocketAddress,
  virtual: SocketAddress,
  template: boolean,
): string {
  const kind = template ? 'template' : protocol;
  return `${kind} ${protocol} ${client.address} ${client.port} ${virtual.address} ${virtual.port}`;
}

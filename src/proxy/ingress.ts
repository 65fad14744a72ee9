import type { Clock } from '../base/clock.ts';
import type { Resource } from '../base/lifetime.ts';
import type { Engine, EngineConnection, Route } from './engine/engine.ts';
import type { SocketAddress } from './flow.ts';
import type { ListenPurpose, Spot } from './listen-problem.ts';
import { type ListenerEvents, ListenerTable, type Owners } from './listener-table.ts';
import { type DatagramListener, listenDatagrams } from './udp/datagram-listener.ts';

/** One node's proxy as the ingress knows it. */
export interface NodeProxy {
  /** True for the node's own addresses and for those of its pods. */
  owns(address: string): boolean;
  route(connection: EngineConnection): Route;
  datagram(listener: DatagramListener, message: Buffer, source: SocketAddress): void;
}

const RESET: Route = { kind: 'reset' };

/** Addresses whose node is remembered; beyond it the memory starts anew. */
const MAX_REMEMBERED = 16_384;

/**
 * The listeners that the nodes of one process share, and which node a client's flow enters. A Service
 * address exists once a process, where a real cluster has it on every node: the node is the one whose pod
 * or host the client's address is, else the first.
 */
export class Ingress implements Resource {
  /** Who hears of ports that cannot be had. */
  readonly events: ListenerEvents;
  readonly #engine: Engine;
  readonly #listeners: ListenerTable<NodeProxy>;
  readonly #nodes: NodeProxy[] = [];
  /** Whose address it is; null: nobody's. */
  readonly #owners = new Map<string, NodeProxy | null>();

  constructor(options: {
    readonly engine: Engine;
    readonly clock: Clock;
    readonly events: ListenerEvents;
  }) {
    const { engine } = options;
    this.#engine = engine;
    this.events = options.events;
    this.#listeners = new ListenerTable({
      clock: options.clock,
      events: options.events,
      open: (spot, owners) =>
        spot.protocol === 'TCP'
          ? engine.listen({
              address: spot.address,
              port: spot.port,
              route: (connection) =>
                this.#enter(owners, spot.address, connection.source.address)?.route(connection) ??
                RESET,
            })
          : listenDatagrams(spot, (listener, message, source) => {
              const node = this.#enter(owners, spot.address, source.address);
              node?.datagram(listener, message, source);
            }),
    });
  }

  /** From now on flows of this node's clients enter through it. The first to join serves all strangers. */
  join(node: NodeProxy): void {
    this.#nodes.push(node);
    this.forgetClients();
  }

  /** Also gives up all its claims. */
  leave(node: NodeProxy): void {
    const index = this.#nodes.indexOf(node);
    if (index !== -1) this.#nodes.splice(index, 1);
    this.forgetClients();
    this.#listeners.releaseAll(node);
  }

  /** The node's addresses or its pods' have changed. */
  forgetClients(): void {
    this.#owners.clear();
    this.decisionsChanged();
  }

  /** A node decides otherwise than before from now on. */
  decisionsChanged(): void {
    this.#engine.revokeStanding();
  }

  /** What the engine's threads have done until now is known afterwards. */
  catchUp(): void {
    this.#engine.catchUp();
  }

  claim(spot: Spot, node: NodeProxy, purpose: ListenPurpose): void {
    // Which node a client enters may depend on who has claimed the spot.
    this.decisionsChanged();
    this.#listeners.claim(spot, node, purpose);
  }

  release(spot: Spot, node: NodeProxy): void {
    this.decisionsChanged();
    this.#listeners.release(spot, node);
  }

  /** Once all claims and releases so far have taken effect or were reported. */
  settled(): Promise<void> {
    return this.#listeners.settled();
  }

  close(): Promise<void> {
    return this.#listeners.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #enter(owners: Owners<NodeProxy>, destination: string, source: string): NodeProxy | undefined {
    // What is sent to a node's own address is that node's, wherever it comes from.
    const host = this.#nodeOf(destination);
    if (host !== undefined && owners.has(host)) return host;
    return this.#nodeOf(source) ?? this.#nodes[0];
  }

  #nodeOf(address: string): NodeProxy | undefined {
    const known = this.#owners.get(address);
    if (known !== undefined) return known === null ? undefined : known;
    const node = this.#nodes.find((candidate) => candidate.owns(address));
    if (this.#owners.size >= MAX_REMEMBERED) this.#owners.clear();
    this.#owners.set(address, node ?? null);
    return node;
  }
}

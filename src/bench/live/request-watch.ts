import type { Clock } from '../../base/clock.ts';
import type { Balancer } from '../algorithms/balancer.ts';
import { MessageCutter } from './message-cutter.ts';
import type { MessageFormat } from './message-format.ts';

export interface WatchOptions {
  readonly format: MessageFormat;
  readonly balancer: Balancer;
  /** Requests at each backend through any node: what jsq looks at. */
  readonly inSystem: Int32Array;
  readonly clock: Clock;
}

/**
 * Reads the requests and answers of one connection off its bytes, as a proxy does that speaks the protocol, and
 * tells the balancer. The first request counts from the choice of its backend on: a connection without one is
 * not opened, and those that are chosen for in the meantime should know of it.
 */
export class RequestWatch {
  readonly #options: WatchOptions;
  readonly #backend: number;
  readonly #requests: MessageCutter;
  readonly #responses: MessageCutter;
  /** When each request that is out was sent, by id. */
  readonly #sentAt = new Map<number, number>();
  /** When the connection was opened, until its first request is seen. */
  #openedAt: number | undefined;

  constructor(options: WatchOptions, backend: number) {
    this.#options = options;
    this.#backend = backend;
    this.#requests = new MessageCutter(options.format.requestBytes);
    this.#responses = new MessageCutter(options.format.responseBytes);
    this.#openedAt = options.clock.now();
    this.#started();
  }

  fromClient(chunk: Uint8Array): void {
    const { format, clock } = this.#options;
    this.#requests.push(asBuffer(chunk), (bytes, offset) => {
      const id = format.requestId(bytes, offset);
      if (this.#openedAt === undefined) this.#started();
      this.#sentAt.set(id, this.#openedAt ?? clock.now());
      this.#openedAt = undefined;
    });
  }

  fromServer(chunk: Uint8Array): void {
    const { format } = this.#options;
    this.#responses.push(asBuffer(chunk), (bytes, offset) => {
      const id = format.responseId(bytes, offset);
      const sentAt = this.#sentAt.get(id);
      if (sentAt !== undefined && this.#sentAt.delete(id)) this.#ended(sentAt);
    });
  }

  /** The connection is over, and so is what was not answered. */
  end(): void {
    if (this.#openedAt !== undefined) this.#ended(this.#openedAt);
    this.#openedAt = undefined;
    for (const sentAt of this.#sentAt.values()) this.#ended(sentAt);
    this.#sentAt.clear();
  }

  #started(): void {
    const { balancer, inSystem } = this.#options;
    inSystem[this.#backend] = (inSystem[this.#backend] ?? 0) + 1;
    balancer.requestStarted?.(this.#backend);
  }

  #ended(sentAt: number): void {
    const { balancer, inSystem, clock } = this.#options;
    inSystem[this.#backend] = (inSystem[this.#backend] ?? 0) - 1;
    balancer.requestEnded?.(this.#backend, clock.now() - sentAt);
  }
}

/** The memory of `chunk` may be reused once it is forwarded, and a cutter may keep a part of it. */
function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.from(chunk);
}

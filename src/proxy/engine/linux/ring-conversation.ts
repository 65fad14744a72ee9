import { EPOLLERR, EPOLLHUP, EPOLLOUT, ETIMEDOUT } from '../../../base/linux/abi.ts';
import {
  CLIENT,
  type Conversation,
  type ConversationHost,
  type ConversationState,
  type End,
  SERVER,
} from './conversation.ts';
import { OUTCOME, type Outcome } from './direction.ts';
import { TO_MAIN } from './mailbox.ts';
import * as abi from './ring-abi.ts';
import { REQUEST, RingDirection, type RingTools } from './ring-direction.ts';
import type { TcpSockets } from './tcp-sockets.ts';

/** Keys of a conversation's requests start at its slot times this. */
export const KEYS_A_SLOT = 8;

/** What it asks of its backend. */
export interface RingTurns {
  readonly tools: RingTools;
  readonly sockets: TcpSockets;
  /** `moveOn` is to be called after others had their turn. */
  again(conversation: RingConversation): void;
}

/**
 * A conversation over io_uring. The kernel may hold on to its sockets and buffers until the last request has completed,
 * so an end that comes before that resets the sockets, which makes the requests fail, and closes them afterwards.
 */
export class RingConversation implements Conversation {
  readonly slot: number;
  readonly generation: number;
  readonly client: number;
  server = -1;
  state: ConversationState = 'waiting';
  readonly #host: ConversationHost;
  readonly #turns: RingTurns;
  #up: RingDirection | undefined;
  #down: RingDirection | undefined;
  #connecting = false;
  #dialAborted = false;

  constructor(
    host: ConversationHost,
    turns: RingTurns,
    slot: number,
    generation: number,
    client: number,
  ) {
    this.#host = host;
    this.#turns = turns;
    this.slot = slot;
    this.generation = generation;
    this.client = client;
  }

  get bytesFromClient(): number {
    return this.#up?.bytes ?? 0;
  }

  get bytesFromServer(): number {
    return this.#down?.bytes ?? 0;
  }

  dialing(server: number): void {
    this.server = server;
    this.state = 'dialing';
    this.#connecting = true;
    this.#dialAborted = false;
    const key = this.slot * KEYS_A_SLOT + 2 * REQUEST.connect;
    const { ring } = this.#turns.tools;
    ring.push(abi.IORING_OP_POLL_ADD, 0, 0, server, 0, 0, EPOLLOUT, key, this.generation);
  }

  abortDial(): void {
    if (this.state !== 'dialing') return;
    this.#dialAborted = true;
    this.#host.descriptors.abort(this.server);
  }

  /** One of its requests is over: a REQUEST, twice, plus the end whose direction it was. */
  completed(code: number, result: number, flags: number): void {
    if (code >> 1 === REQUEST.connect) {
      this.#connecting = false;
      if (this.state === 'dialing') this.#dialCompleted(result);
    } else {
      const direction = (code & 1) === CLIENT ? this.#up : this.#down;
      if (direction === undefined) return;
      if (this.state === 'forwarding') this.#advance(direction, code >> 1, result, flags);
      else direction.inFlight = false;
    }
    if (this.state === 'ending') this.#closeWhenIdle();
  }

  moveOn(): void {
    for (const direction of [this.#up, this.#down])
      if (direction !== undefined && this.state === 'forwarding') {
        const hadEnded = direction.ended;
        const outcome = direction.moveBulk(this.#opposite(direction)?.finished === true);
        this.#settle(direction, outcome, hadEnded);
      }
  }

  kill(): void {
    if (this.state === 'ended' || this.state === 'ending') return;
    this.#reset();
  }

  release(): void {
    this.state = 'ended';
  }

  #dialCompleted(events: number): void {
    const { tools } = this.#turns;
    const errno = this.#dialErrno(events);
    if (errno !== 0) {
      this.#host.descriptors.close(this.server);
      this.server = -1;
      this.state = 'waiting';
      this.#host.dialFailed(this, errno);
      return;
    }
    this.state = 'forwarding';
    const key = this.slot * KEYS_A_SLOT;
    this.#up = new RingDirection(tools, this.client, this.server, key + CLIENT, this.generation);
    this.#down = new RingDirection(tools, this.server, this.client, key + SERVER, this.generation);
    this.#up.start();
    this.#down.start();
    this.#host.tell(this, TO_MAIN.established);
  }

  /** `events` as poll(2) has them, or a negated errno. */
  #dialErrno(events: number): number {
    if (this.#dialAborted) return ETIMEDOUT;
    if (events < 0) return -events;
    if ((events & (EPOLLERR | EPOLLHUP)) === 0) return 0;
    return -this.#turns.sockets.error(this.server);
  }

  #advance(direction: RingDirection, request: number, result: number, flags: number): void {
    const hadEnded = direction.ended;
    const last = this.#opposite(direction)?.finished === true;
    const outcome = direction.completed(request, result, flags, last);
    this.#settle(direction, outcome, hadEnded);
  }

  #settle(direction: RingDirection, outcome: Outcome, hadEnded: boolean): void {
    const source: End = direction === this.#up ? CLIENT : SERVER;
    if (direction.ended && !hadEnded)
      this.#host.tell(this, source === CLIENT ? TO_MAIN.clientFin : TO_MAIN.serverFin);
    switch (outcome) {
      case OUTCOME.again:
        this.#turns.again(this);
        break;
      case OUTCOME.sourceBroken:
        this.#broken(source);
        break;
      case OUTCOME.sinkBroken:
        this.#broken(source === CLIENT ? SERVER : CLIENT);
        break;
      case OUTCOME.idle:
      case OUTCOME.moved:
        if (this.#up?.finished === true && this.#down?.finished === true) this.#close();
    }
  }

  #opposite(direction: RingDirection): RingDirection | undefined {
    return direction === this.#up ? this.#down : this.#up;
  }

  /** One side is gone without its FIN: the other learns it the same way. */
  #broken(end: End): void {
    this.#host.tell(this, end === CLIENT ? TO_MAIN.clientReset : TO_MAIN.serverReset);
    this.#reset();
  }

  #reset(): void {
    this.state = 'ending';
    for (const fd of [this.client, this.server]) if (fd !== -1) this.#host.descriptors.abort(fd);
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    const busy = this.#connecting || this.#up?.inFlight === true || this.#down?.inFlight === true;
    if (!busy) this.#close();
  }

  #close(): void {
    this.state = 'ended';
    this.#up?.release();
    this.#down?.release();
    const { descriptors } = this.#host;
    for (const fd of [this.client, this.server]) if (fd !== -1) descriptors.close(fd);
    this.#host.ended(this);
  }
}

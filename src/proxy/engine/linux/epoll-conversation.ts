import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  ETIMEDOUT,
} from '../../../base/linux/abi.ts';
import {
  CLIENT,
  type Conversation,
  type ConversationHost,
  type ConversationState,
  type End,
  SERVER,
} from './conversation.ts';
import { Direction, OUTCOME } from './direction.ts';
import { TO_MAIN } from './mailbox.ts';

/** What it asks of its backend. */
export interface EpollTurns {
  /** `moveOn` is to be called after others had their turn. */
  again(conversation: EpollConversation): void;
  /** From now on `ready` is told of this end; until it is closed. */
  watch(conversation: EpollConversation, end: End): void;
}

const ENDING = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

/** A conversation whose two directions move when epoll reports their sockets. */
export class EpollConversation implements Conversation {
  readonly slot: number;
  readonly generation: number;
  readonly client: number;
  server = -1;
  state: ConversationState = 'waiting';
  readonly #host: ConversationHost;
  readonly #turns: EpollTurns;
  #up: Direction | undefined;
  #down: Direction | undefined;

  constructor(
    host: ConversationHost,
    turns: EpollTurns,
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
    this.#turns.watch(this, SERVER);
  }

  abortDial(): void {
    if (this.state === 'dialing') this.dialEnded(ETIMEDOUT);
  }

  /** The dial has failed. */
  dialEnded(errno: number): void {
    this.#host.descriptors.close(this.server);
    this.server = -1;
    this.state = 'waiting';
    this.#host.dialFailed(this, errno);
  }

  /** The dial has succeeded. */
  established(): void {
    this.state = 'forwarding';
    this.#up = new Direction(this.#host.tools, this.client, this.server);
    this.#down = new Direction(this.#host.tools, this.server, this.client);
    this.#turns.watch(this, CLIENT);
    this.#host.tell(this, TO_MAIN.established);
  }

  /** What epoll said of one end, once established. */
  ready(end: End, events: number): void {
    const [source, sink] = end === CLIENT ? [this.#up, this.#down] : [this.#down, this.#up];
    if ((events & EPOLLOUT) !== 0 && sink?.blocked === true) {
      sink.sinkReady();
      this.#advance(sink);
    }
    if ((events & (EPOLLIN | ENDING)) !== 0 && source !== undefined) {
      source.sourceReady(events);
      this.#advance(source);
    }
    // What had arrived before the reset has been passed on, unless the other side takes nothing.
    if ((events & EPOLLERR) !== 0) this.#broken(end);
  }

  moveOn(): void {
    if (this.#up !== undefined) this.#advance(this.#up);
    if (this.#down !== undefined) this.#advance(this.#down);
  }

  kill(): void {
    if (this.state !== 'ended') this.#end('reset');
  }

  release(): void {
    this.state = 'ended';
  }

  #advance(direction: Direction): void {
    if (this.state !== 'forwarding') return;
    const hadEnded = direction.ended;
    const fromClient = direction === this.#up;
    const opposite = fromClient ? this.#down : this.#up;
    const outcome = direction.move(opposite?.finished === true);
    if (direction.ended && !hadEnded)
      this.#host.tell(this, fromClient ? TO_MAIN.clientFin : TO_MAIN.serverFin);
    switch (outcome) {
      case OUTCOME.again:
        this.#turns.again(this);
        break;
      case OUTCOME.sourceBroken:
        this.#broken(fromClient ? CLIENT : SERVER);
        break;
      case OUTCOME.sinkBroken:
        this.#broken(fromClient ? SERVER : CLIENT);
        break;
      case OUTCOME.idle:
      case OUTCOME.moved:
        if (this.#up?.finished === true && this.#down?.finished === true) this.#end('close');
    }
  }

  /** One side is gone without its FIN: the other learns it the same way. */
  #broken(end: End): void {
    if (this.state !== 'forwarding') return;
    this.#host.tell(this, end === CLIENT ? TO_MAIN.clientReset : TO_MAIN.serverReset);
    this.#end('reset');
  }

  #end(how: 'close' | 'reset'): void {
    this.state = 'ended';
    // Before the descriptors: a pipe with bytes in it must not meet another socket of the same number.
    this.#up?.release();
    this.#down?.release();
    const { descriptors } = this.#host;
    for (const fd of [this.client, this.server]) if (fd !== -1) descriptors[how](fd);
    this.#host.ended(this);
  }
}

import { ETIMEDOUT } from '../../../base/linux/abi.ts';
import type { Descriptors } from './descriptors.ts';
import { TO_MAIN } from './mailbox.ts';
import { OUTCOME, type Outcome, type Way } from './way.ts';

/** The ends of a connection. */
export const CLIENT = 0;
export const SERVER = 1;
export type End = typeof CLIENT | typeof SERVER;

/**
 * `abandoning`: the dial is given up, `ending`: the sockets are reset; but the kernel has not let go of them yet, which
 * only an io_uring makes us wait for.
 */
type ConversationState = 'waiting' | 'dialing' | 'abandoning' | 'forwarding' | 'ending' | 'ended';

/** What it tells the thread. */
export interface ConversationHost {
  readonly descriptors: Descriptors;
  /** `message` is one of TO_MAIN. */
  tell(conversation: Conversation, message: number): void;
  /** The socket of the dial is closed; the conversation waits for another route. */
  dialFailed(conversation: Conversation, errno: number): void;
  /** Both sockets are closed. */
  ended(conversation: Conversation): void;
}

/** What a conversation asks of its backend. */
export interface Carrier<W extends Way> {
  /** A connect is under way: `established` or `dialFailed` is to follow. */
  awaitDial(conversation: Conversation<W>): void;
  /** There is more to move, but others want their turn. */
  again(conversation: Conversation<W>): void;
}

/**
 * One connection in the forwarding thread: an accepted socket, the socket to its server, and the two ways between
 * them. Owns the sockets from its beginning until `ended` or `release`. What moves the bytes is its backend, which tells
 * it by `settle` what came of it.
 *
 * An end that comes while the kernel holds on to the sockets resets them, which makes its requests fail, and closes
 * them after the last of these.
 */
export class Conversation<W extends Way = Way> {
  readonly slot: number;
  /** Counts the slot's uses, so that late news of the one before are told apart. */
  readonly generation: number;
  /** The accepted socket. */
  readonly client: number;
  /** The socket to the server, -1 while there is none. */
  server = -1;
  state: ConversationState = 'waiting';
  /** The backend's: a request waits for the dial. */
  dialInFlight = false;
  /** From the client, and from the server, once established. */
  up: W | undefined;
  down: W | undefined;
  readonly #host: ConversationHost;
  readonly #carrier: Carrier<W>;

  constructor(
    host: ConversationHost,
    carrier: Carrier<W>,
    slot: number,
    generation: number,
    client: number,
  ) {
    this.#host = host;
    this.#carrier = carrier;
    this.slot = slot;
    this.generation = generation;
    this.client = client;
  }

  get bytesFromClient(): number {
    return this.up?.bytes ?? 0;
  }

  get bytesFromServer(): number {
    return this.down?.bytes ?? 0;
  }

  /** A connect is under way on this socket, owned from now on: it is established, or `dialFailed` follows. */
  dialing(server: number): void {
    this.server = server;
    this.state = 'dialing';
    this.#carrier.awaitDial(this);
  }

  /** Gives up the dial, which fails with ETIMEDOUT unless it has succeeded meanwhile. */
  abortDial(): void {
    if (this.state !== 'dialing') return;
    this.state = 'abandoning';
    if (this.dialInFlight) this.#host.descriptors.abort(this.server);
    else this.dialFailed(ETIMEDOUT);
  }

  /** The dial has failed, and nothing of it is in flight: another route is waited for. */
  dialFailed(errno: number): void {
    this.#host.descriptors.close(this.server);
    this.server = -1;
    this.state = 'waiting';
    this.#host.dialFailed(this, errno);
  }

  /** The dial has succeeded. */
  established(up: W, down: W): void {
    this.state = 'forwarding';
    this.up = up;
    this.down = down;
    this.#host.tell(this, TO_MAIN.established);
  }

  /** The other way is finished, so that both sockets are closed as soon as this one is, which says FIN too. */
  isLast(way: W): boolean {
    return (way === this.up ? this.down : this.up)?.finished === true;
  }

  /** What came of a step of one of its ways. `hadEnded`: as it was before the step. */
  settle(way: W, outcome: Outcome, hadEnded: boolean): void {
    const source: End = way === this.up ? CLIENT : SERVER;
    if (way.ended && !hadEnded)
      this.#host.tell(this, source === CLIENT ? TO_MAIN.clientFin : TO_MAIN.serverFin);
    switch (outcome) {
      case OUTCOME.again:
        this.#carrier.again(this);
        break;
      case OUTCOME.sourceBroken:
        this.broken(source);
        break;
      case OUTCOME.sinkBroken:
        this.broken(source === CLIENT ? SERVER : CLIENT);
        break;
      case OUTCOME.idle:
      case OUTCOME.moved:
        if (way.finished && this.isLast(way)) this.#close();
    }
  }

  /** One side is gone without its FIN: the other learns it the same way. */
  broken(end: End): void {
    if (this.state !== 'forwarding') return;
    this.#host.tell(this, end === CLIENT ? TO_MAIN.clientReset : TO_MAIN.serverReset);
    this.#reset();
  }

  /** Resets both sides; `ended` follows, perhaps later. Idempotent. */
  kill(): void {
    if (this.state !== 'ended' && this.state !== 'ending') this.#reset();
  }

  /** The accepted socket is somebody else's now. */
  release(): void {
    this.state = 'ended';
  }

  /** Of one that is ending, a request has completed. */
  closeWhenIdle(): void {
    const busy = this.dialInFlight || this.up?.inFlight === true || this.down?.inFlight === true;
    if (!busy) this.#close();
  }

  #reset(): void {
    const { descriptors } = this.#host;
    this.state = 'ending';
    descriptors.abort(this.client);
    if (this.server !== -1) descriptors.abort(this.server);
    this.closeWhenIdle();
  }

  #close(): void {
    const { descriptors } = this.#host;
    this.state = 'ended';
    // Before the descriptors: a pipe with bytes in it must not meet another socket of the same number.
    this.up?.release();
    this.down?.release();
    descriptors.close(this.client);
    if (this.server !== -1) descriptors.close(this.server);
    this.#host.ended(this);
  }
}

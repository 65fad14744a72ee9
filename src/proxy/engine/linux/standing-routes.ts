import { type Random, seededRandom } from '../../../base/random.ts';
import type { SocketAddress } from '../../flow.ts';
import type { DialRoute, DialTarget, StandingRoute } from '../engine.ts';
import { AF_INET } from '../../../base/linux/abi.ts';
import { FIELD, HEADER, type SlotTable, SOCKADDR_FIELD, SOCKADDR_WORDS } from './mailbox.ts';
import { encodeSockaddr, isSameFamily } from '../../../base/linux/sockaddr.ts';

/** Offers that stand at a time; when there are more, all are revoked and the table starts anew. */
const MOST_OFFERS = 512;
/** Routes with more choices are not offered: each of their connections is asked about. */
const MOST_CHOICES = 256;
/** Clients that are remembered to have come once; beyond it the memory starts anew. */
const MOST_REMEMBERED = 4096;
/** Epochs that identities tell apart, so that they fit 31 bits. */
const MOST_EPOCHS: number = Math.floor(0x7fff_ffff / MOST_OFFERS) - 1;
/** In the place of an identity: the client has come once. */
const CAME_ONCE = -1;

/** Words of an offer. All are the main thread's to write. */
const OFFER = { count: 0, seed: 1, choices: 2 } as const;
/** Words of a choice. */
const CHOICE = { target: 0, source: SOCKADDR_WORDS, bound: 2 * SOCKADDR_WORDS, words: 15 } as const;
const OFFER_WORDS: number = OFFER.choices + MOST_CHOICES * CHOICE.words;

/** Memory for the offers to one forwarding thread, which both threads see. Untouched pages cost nothing. */
export function allocateOffers(): SharedArrayBuffer {
  return new SharedArrayBuffer(MOST_OFFERS * OFFER_WORDS * 4);
}

/** An offer's identity says when it was made and where it lies, and is never 0. */
function offerId(epoch: number, place: number): number {
  return ((epoch % MOST_EPOCHS) + 1) * MOST_OFFERS + place;
}

function placeOf(id: number): number {
  return id % MOST_OFFERS;
}

interface Offer {
  readonly epoch: number;
  readonly standing: StandingRoute;
}

/**
 * The main thread's side: standing routes that one forwarding thread may follow by itself. What is offered stands for an
 * epoch, a number in shared memory that {@link revoke} raises: the thread looks at it for every connection. In an epoch no
 * place is written twice, and none before the thread has acknowledged the epoch, so it never reads what is being written.
 */
export class StandingOffers {
  readonly #table: SlotTable;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** By identity. Those of earlier epochs are kept until the thread has told of all that followed them. */
  readonly #offers = new Map<number, Offer>();
  /** By listener and client address, what was offered in this epoch: 0 if the answer does not stand; or {@link CAME_ONCE}. */
  readonly #clients = new Map<string, number>();
  #used = 0;
  #heardEpoch = 0;

  constructor(table: SlotTable, shared: SharedArrayBuffer) {
    this.#table = table;
    this.#words = new Int32Array(shared);
    this.#bytes = new Uint8Array(shared);
  }

  /**
   * Offers what the route says of clients like the one of this slot, from its second connection on. The identity goes with the
   * answer to the thread; 0: nothing is offered.
   */
  offer(slot: number, source: SocketAddress, route: DialRoute): number {
    if (route.standing === undefined) return 0;
    const client = `${this.#table.get(slot, FIELD.listener)} ${source.address}`;
    const known = this.#clients.get(client);
    if (known === undefined) this.#remember(client);
    if (known !== CAME_ONCE) return known ?? 0;
    // The thread may still be reading what an offer would be written over.
    if (this.toldEpoch !== this.#epoch) return 0;
    if (this.#used === MOST_OFFERS) {
      this.revoke();
      return 0;
    }
    const standing = route.standing();
    const fits = standing !== undefined && standing.choices.length <= MOST_CHOICES;
    const id = fits ? this.#write(standing) : 0;
    this.#clients.set(client, id);
    return id;
  }

  /** What a connection follows whose slot has this identity; undefined only for one that was never offered. */
  find(id: number): StandingRoute | undefined {
    return this.#offers.get(id)?.standing;
  }

  /** The thread asks about every connection from now on. */
  revoke(): void {
    Atomics.add(this.#table.words, HEADER.epoch, 1);
    this.#clients.clear();
    this.#used = 0;
  }

  /** Of earlier epochs than this the thread has told everything. */
  get toldEpoch(): number {
    return Atomics.load(this.#table.words, HEADER.seenEpoch);
  }

  /** What the thread had told until it reached this epoch has been heard. */
  heard(toldEpoch: number): void {
    if (toldEpoch === this.#heardEpoch) return;
    this.#heardEpoch = toldEpoch;
    for (const [id, { epoch }] of this.#offers) if (epoch < toldEpoch) this.#offers.delete(id);
  }

  /** Only the main thread writes it. */
  get #epoch(): number {
    return Atomics.load(this.#table.words, HEADER.epoch);
  }

  #remember(client: string): void {
    if (this.#clients.size >= MOST_REMEMBERED) this.#clients.clear();
    this.#clients.set(client, CAME_ONCE);
  }

  #write(standing: StandingRoute): number {
    const words = this.#words;
    const epoch = this.#epoch;
    const id = offerId(epoch, this.#used);
    const at = this.#used * OFFER_WORDS;
    this.#used += 1;
    words[at + OFFER.count] = standing.choices.length;
    words[at + OFFER.seed] = standing.seed;
    for (const [index, choice] of standing.choices.entries())
      this.#writeChoice(at + OFFER.choices + index * CHOICE.words, choice);
    this.#offers.set(id, { epoch, standing });
    return id;
  }

  #writeChoice(at: number, target: DialTarget): void {
    const { address, localAddress } = target;
    const sockaddr = (word: number): Uint8Array =>
      this.#bytes.subarray((at + word) * 4, (at + word + SOCKADDR_WORDS) * 4);
    encodeSockaddr(target, sockaddr(CHOICE.target));
    const bound = localAddress !== undefined && isSameFamily(localAddress, address);
    if (bound) encodeSockaddr({ address: localAddress, port: 0 }, sockaddr(CHOICE.source));
    this.#words[at + CHOICE.bound] = bound ? 1 : 0;
  }
}

/** An offer as the forwarding thread follows it. */
interface Pick {
  readonly id: number;
  readonly count: number;
  readonly random: Random;
}

/** The forwarding thread's side: which standing routes it knows of, by listener and client. */
export class StandingPicks {
  readonly #table: SlotTable;
  readonly #words: Int32Array;
  readonly #picks = new Map<number | string, Pick>();
  #epoch = 0;

  constructor(table: SlotTable, shared: SharedArrayBuffer) {
    this.#table = table;
    this.#words = new Int32Array(shared);
  }

  /** What was followed in earlier epochs has been told by now, and is read no more. Between turns. */
  acknowledge(): void {
    const { words } = this.#table;
    Atomics.store(words, HEADER.seenEpoch, Atomics.load(words, HEADER.epoch));
  }

  /** An answer has come for this slot: with an offer for others like it, if it names one. */
  learn(slot: number): void {
    const id = this.#table.get(slot, FIELD.standing);
    if (id === 0) return;
    this.#notice();
    const place = placeOf(id);
    // Revoked while it was on its way: its place may be another's by now.
    if (id !== offerId(this.#epoch, place)) return;
    const key = this.#keyOf(slot);
    if (this.#picks.get(key)?.id === id) return;
    const words = this.#words;
    const at = place * OFFER_WORDS;
    const count = words[at + OFFER.count] ?? 0;
    this.#picks.set(key, { id, count, random: seededRandom(words[at + OFFER.seed] ?? 0) });
  }

  /** Fills in where the slot's connection goes. False: the main thread must be asked. */
  follow(slot: number): boolean {
    const table = this.#table;
    table.set(slot, FIELD.standing, 0);
    if (this.#picks.size === 0 || this.#notice()) return false;
    const pick = this.#picks.get(this.#keyOf(slot));
    if (pick === undefined) return false;
    const choice = pick.random.below(pick.count);
    const at = placeOf(pick.id) * OFFER_WORDS + OFFER.choices + choice * CHOICE.words;
    table.storeSockaddr(slot, SOCKADDR_FIELD.target, this.#words, at + CHOICE.target);
    table.storeSockaddr(slot, SOCKADDR_FIELD.source, this.#words, at + CHOICE.source);
    table.set(slot, FIELD.bound, this.#words[at + CHOICE.bound] ?? 0);
    table.set(slot, FIELD.standing, pick.id);
    table.set(slot, FIELD.choice, choice);
    return true;
  }

  /** True: the epoch has gone on, and with it all that was learnt. */
  #notice(): boolean {
    const epoch = Atomics.load(this.#table.words, HEADER.epoch);
    if (epoch === this.#epoch) return false;
    this.#epoch = epoch;
    this.#picks.clear();
    return true;
  }

  /** Of the slot's listener and its client's address. */
  #keyOf(slot: number): number | string {
    const table = this.#table;
    const listener = table.get(slot, FIELD.listener);
    const word = (index: number): number => table.sockaddrWord(slot, SOCKADDR_FIELD.client, index);
    if ((word(0) & 0xffff) === AF_INET) return listener * 2 ** 32 + (word(1) >>> 0);
    return `${listener} ${word(2)} ${word(3)} ${word(4)} ${word(5)} ${word(6)}`;
  }
}

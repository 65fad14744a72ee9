import { seqBefore, seqDiff } from '../seq.ts';

/** One transmission unit on its way: [start, end) of the sequence space, SYN and FIN included. */
export interface SentRecord {
  start: number;
  end: number;
  /** Of the latest transmission. */
  sentAt: number;
  /** Counts transmissions, so that those of one moment have an order too. */
  sentOrder: number;
  /** RFC 2018: the peer holds it. */
  sacked: boolean;
  /** Thought to have left the network without arriving. */
  lost: boolean;
  /** A copy was sent after it was declared lost, and that copy may still arrive. */
  resent: boolean;
  /** Sent more than once, ever: Karn's rule. */
  ambiguous: boolean;
}

/** What an acknowledgement delivered. Reused for every ACK. */
export interface Delivery {
  ackedBytes: number;
  sackedBytes: number;
  /** The latest send time among what was delivered and was sent only once, or -1. */
  cleanSentAt: number;
  /** The most recently sent record delivered (RFC 8985 §6.2): its place in the order, or -1. */
  latestOrder: number;
  latestSentAt: number;
  latestAmbiguous: boolean;
  /** Something below what was delivered before arrived without ever being sent again: reordering. */
  reordered: boolean;
}

/** Enough for a short connection. */
const FIRST_CAPACITY = 4;

/**
 * The retransmission queue: one record a segment sent and not yet acknowledged, in sequence order, with the
 * byte counts RFC 6675 calls pipe. Records are reused.
 */
export class SentQueue {
  #ring: SentRecord[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;
  #sackedBytes = 0;
  #lostBytes = 0;
  #resentBytes = 0;
  #transmissions = 0;
  readonly delivery: Delivery = {
    ackedBytes: 0,
    sackedBytes: 0,
    cleanSentAt: -1,
    latestOrder: -1,
    latestSentAt: 0,
    latestAmbiguous: false,
    reordered: false,
  };

  get count(): number {
    return this.#count;
  }

  /** Sequence space outstanding. */
  get bytes(): number {
    return this.#bytes;
  }

  get sackedBytes(): number {
    return this.#sackedBytes;
  }

  /** Declared lost, whether sent again or not. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** RFC 6675 §4: what is thought to be in the network. */
  get pipeBytes(): number {
    return this.#bytes - this.#sackedBytes - this.#lostBytes + this.#resentBytes;
  }

  get hasUnsentLosses(): boolean {
    return this.#lostBytes > this.#resentBytes;
  }

  at(index: number): SentRecord {
    return this.#ring[(this.#head + index) & (this.#ring.length - 1)] as SentRecord;
  }

  /** Appends a first transmission. */
  push(start: number, end: number, now: number): void {
    if (this.#count === this.#ring.length) this.#grow();
    const record = this.at(this.#count);
    this.#count += 1;
    record.start = start;
    record.end = end;
    record.sentAt = now;
    record.sentOrder = this.#transmissions++;
    record.sacked = false;
    record.lost = false;
    record.resent = false;
    record.ambiguous = false;
    this.#bytes += lengthOf(record);
  }

  /** Notes that `record` was sent again. */
  markResent(record: SentRecord, now: number): void {
    record.sentAt = now;
    record.sentOrder = this.#transmissions++;
    record.ambiguous = true;
    if (record.lost && !record.resent) {
      record.resent = true;
      this.#resentBytes += lengthOf(record);
    }
  }

  /** Declares `record` lost, or its retransmission lost too. */
  markLost(record: SentRecord): void {
    if (record.sacked) return;
    if (record.resent) {
      record.resent = false;
      this.#resentBytes -= lengthOf(record);
    } else if (!record.lost) {
      record.lost = true;
      this.#lostBytes += lengthOf(record);
    }
  }

  /** After a timeout nothing is in flight. A peer that dropped what it had SACKed loses that credit. */
  markAllLost(): void {
    const reneged = this.#count > 0 && this.at(0).sacked;
    for (let index = 0; index < this.#count; index += 1) {
      const record = this.at(index);
      if (reneged && record.sacked) {
        record.sacked = false;
        this.#sackedBytes -= lengthOf(record);
      }
      if (!record.lost || record.resent) this.markLost(record);
    }
  }

  /** The first record at or behind `from` that is lost and not sent again. */
  nextLost(from: number): SentRecord | undefined {
    if (!this.hasUnsentLosses) return undefined;
    for (let index = this.#indexOf(from); index < this.#count; index += 1) {
      const record = this.at(index);
      if (record.lost && !record.resent && !record.sacked) return record;
    }
    return undefined;
  }

  startDelivery(): void {
    const { delivery } = this;
    delivery.ackedBytes = 0;
    delivery.sackedBytes = 0;
    delivery.cleanSentAt = -1;
    delivery.latestOrder = -1;
    delivery.latestAmbiguous = false;
    delivery.reordered = false;
  }

  /** Removes what a cumulative ACK covers. */
  acknowledge(ack: number, highestSacked: number): void {
    const { delivery } = this;
    while (this.#count > 0) {
      const record = this.at(0);
      if (!seqBefore(record.start, ack)) return;
      if (seqBefore(ack, record.end)) {
        this.#trim(record, seqDiff(ack, record.start));
        return;
      }
      if (!record.sacked) this.#noteDelivered(record, highestSacked);
      delivery.ackedBytes += lengthOf(record);
      this.#uncount(record);
      this.#head = (this.#head + 1) & (this.#ring.length - 1);
      this.#count -= 1;
    }
  }

  /** Marks the records that lie wholly in [left, right) as held by the peer. */
  sack(left: number, right: number, highestSacked: number): void {
    for (let index = this.#indexOf(left); index < this.#count; index += 1) {
      const record = this.at(index);
      if (seqBefore(right, record.end)) return;
      if (record.sacked || seqBefore(record.start, left)) continue;
      this.#noteDelivered(record, highestSacked);
      this.delivery.sackedBytes += lengthOf(record);
      this.#clearLost(record);
      record.sacked = true;
      this.#sackedBytes += lengthOf(record);
    }
  }

  /** Cuts records longer than `maxBytes`, after the path's MTU fell. */
  split(maxBytes: number): void {
    const records = Array.from({ length: this.#count }, (_, index) => ({ ...this.at(index) }));
    this.release();
    for (const record of records) {
      for (let start = record.start; seqBefore(start, record.end); ) {
        const rest = seqDiff(record.end, start);
        const end = rest > maxBytes ? (start + maxBytes) >>> 0 : record.end;
        this.push(start, end, record.sentAt);
        const piece = this.at(this.#count - 1);
        piece.ambiguous = record.ambiguous;
        this.#copyFlags(piece, record);
        piece.sentOrder = record.sentOrder;
        start = end;
      }
    }
  }

  release(): void {
    this.#ring = [];
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
    this.#sackedBytes = 0;
    this.#lostBytes = 0;
    this.#resentBytes = 0;
  }

  #copyFlags(piece: SentRecord, record: SentRecord): void {
    if (record.sacked) {
      piece.sacked = true;
      this.#sackedBytes += lengthOf(piece);
    } else if (record.lost) {
      this.markLost(piece);
      if (record.resent) this.markResent(piece, record.sentAt);
    }
  }

  #noteDelivered(record: SentRecord, highestSacked: number): void {
    const { delivery } = this;
    if (!record.ambiguous) {
      delivery.cleanSentAt = Math.max(delivery.cleanSentAt, record.sentAt);
      if (seqBefore(record.end, highestSacked)) delivery.reordered = true;
    }
    if (record.sentOrder < delivery.latestOrder) return;
    delivery.latestOrder = record.sentOrder;
    delivery.latestSentAt = record.sentAt;
    delivery.latestAmbiguous = record.ambiguous;
  }

  #clearLost(record: SentRecord): void {
    if (record.lost) this.#lostBytes -= lengthOf(record);
    if (record.resent) this.#resentBytes -= lengthOf(record);
    record.lost = false;
    record.resent = false;
  }

  #uncount(record: SentRecord): void {
    this.#clearLost(record);
    if (record.sacked) this.#sackedBytes -= lengthOf(record);
    this.#bytes -= lengthOf(record);
  }

  /** An ACK inside a record: the rest stays. */
  #trim(record: SentRecord, bytes: number): void {
    this.delivery.ackedBytes += bytes;
    this.#bytes -= bytes;
    if (record.sacked) this.#sackedBytes -= bytes;
    if (record.lost) this.#lostBytes -= bytes;
    if (record.resent) this.#resentBytes -= bytes;
    record.start = (record.start + bytes) >>> 0;
  }

  /** Of the first record that ends behind `seq`. */
  #indexOf(seq: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seqBefore(seq, this.at(middle).end)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #grow(): void {
    const ring: SentRecord[] = [];
    for (let index = 0; index < this.#count; index += 1) ring.push(this.at(index));
    const capacity = Math.max(2 * this.#count, FIRST_CAPACITY);
    while (ring.length < capacity) ring.push(newRecord());
    this.#ring = ring;
    this.#head = 0;
  }
}

function lengthOf(record: SentRecord): number {
  return seqDiff(record.end, record.start);
}

function newRecord(): SentRecord {
  return {
    start: 0,
    end: 0,
    sentAt: 0,
    sentOrder: 0,
    sacked: false,
    lost: false,
    resent: false,
    ambiguous: false,
  };
}

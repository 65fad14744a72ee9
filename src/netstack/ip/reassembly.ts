// RFC 791 §3.2 and RFC 815 in effect; overlapping fragments discard the datagram, as Linux does and
// RFC 5722 asks of IPv6.
import { IPV4_HEADER_BYTES, IPV4_MAX_BYTES, type Ipv4Header, encodeIpv4 } from '../../wire/ipv4.ts';
import type { DropLog, DropReason } from '../drop-log.ts';

/** Linux: net.ipv4.ipfrag_time and ipfrag_high_thresh; the latter counts payload here. */
const TIMEOUT_MS = 30_000;
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_FRAGMENTS = 512;

interface Fragment {
  readonly from: number;
  readonly payload: Uint8Array;
}

interface Datagram {
  readonly key: string;
  readonly expiresAt: number;
  readonly fragments: Fragment[];
  /** Payload length, once the last fragment is here. */
  endBytes: number | undefined;
  heldBytes: number;
  /** The packet that held fragment 0, from its IPv4 header: what an ICMP error quotes. */
  first: Uint8Array | undefined;
}

/** Called with the first fragment of a datagram whose rest never came. */
export type ReassemblyTimeout = (first: Uint8Array) => void;

/** Keeps fragments until the datagram is whole: 30 s, 4 MiB in all; the oldest datagrams make room. */
export class Reassembly {
  readonly #datagrams = new Map<string, Datagram>();
  readonly #drops: DropLog;
  readonly #onTimeout: ReassemblyTimeout;
  #heldBytes = 0;

  constructor(drops: DropLog, onTimeout: ReassemblyTimeout) {
    this.#drops = drops;
    this.#onTimeout = onTimeout;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Takes the packet `bytes[from, to)` with its decoded header. Returns the whole datagram with a plain
   * header once nothing is missing.
   */
  add(
    now: number,
    header: Ipv4Header,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): Uint8Array | undefined {
    const payload = bytes.subarray(from + header.headerBytes, to);
    if (!isPlausible(header, payload.length)) return this.#refuse('fragment-malformed', bytes);
    const datagram = this.#datagramOf(now, header);
    const verdict = place(datagram, header, payload);
    if (verdict === 'duplicate') return undefined;
    if (verdict !== undefined || datagram.fragments.length > MAX_FRAGMENTS) {
      this.#forget(datagram);
      return this.#refuse(verdict ?? 'fragment-memory', bytes);
    }
    if (header.fragmentOffset === 0) datagram.first = bytes.subarray(from, to);
    this.#heldBytes += payload.length;
    datagram.heldBytes += payload.length;
    this.#makeRoom();
    if (datagram.heldBytes !== datagram.endBytes) return undefined;
    this.#forget(datagram);
    return join(datagram, header);
  }

  pollAt(): number {
    return this.#oldest()?.expiresAt ?? Number.POSITIVE_INFINITY;
  }

  expire(now: number): void {
    for (let oldest = this.#oldest(); oldest !== undefined; oldest = this.#oldest()) {
      if (oldest.expiresAt > now) return;
      this.#forget(oldest);
      this.#drops.drop('fragment-timeout', oldest.first);
      if (oldest.first !== undefined) this.#onTimeout(oldest.first);
    }
  }

  #datagramOf(now: number, header: Ipv4Header): Datagram {
    const { source, destination, protocol, identification } = header;
    const key = `${source}/${destination}/${protocol}/${identification}`;
    const known = this.#datagrams.get(key);
    if (known !== undefined) return known;
    const datagram: Datagram = {
      key,
      expiresAt: now + TIMEOUT_MS,
      fragments: [],
      endBytes: undefined,
      heldBytes: 0,
      first: undefined,
    };
    this.#datagrams.set(key, datagram);
    return datagram;
  }

  #oldest(): Datagram | undefined {
    return this.#datagrams.values().next().value;
  }

  #makeRoom(): void {
    while (this.#heldBytes > MAX_BYTES) {
      const oldest = this.#oldest();
      if (oldest === undefined) return;
      this.#forget(oldest);
      this.#drops.drop('fragment-memory', oldest.first);
    }
  }

  #forget(datagram: Datagram): void {
    if (this.#datagrams.delete(datagram.key)) this.#heldBytes -= datagram.heldBytes;
  }

  #refuse(reason: DropReason, packet: Uint8Array): undefined {
    this.#drops.drop(reason, packet);
    return undefined;
  }
}

/** A fragment other than the last is a multiple of 8 bytes; none reaches beyond the largest packet. */
function isPlausible(header: Ipv4Header, payloadBytes: number): boolean {
  if (payloadBytes === 0) return false;
  if (header.moreFragments && payloadBytes % 8 !== 0) return false;
  return header.fragmentOffset + payloadBytes <= IPV4_MAX_BYTES - IPV4_HEADER_BYTES;
}

function place(
  datagram: Datagram,
  header: Ipv4Header,
  payload: Uint8Array,
): 'duplicate' | 'fragment-overlap' | 'fragment-malformed' | undefined {
  const from = header.fragmentOffset;
  const to = from + payload.length;
  const { fragments } = datagram;
  let index = fragments.length;
  while (index > 0 && (fragments[index - 1] as Fragment).from > from) index -= 1;
  const before = fragments[index - 1];
  const after = fragments[index];
  if (before?.from === from && before.payload.length === payload.length) return 'duplicate';
  if (before !== undefined && before.from + before.payload.length > from) return 'fragment-overlap';
  if (after !== undefined && to > after.from) return 'fragment-overlap';
  if (datagram.endBytes !== undefined && to > datagram.endBytes) return 'fragment-malformed';
  if (!header.moreFragments) {
    if (after !== undefined || datagram.endBytes !== undefined) return 'fragment-malformed';
    datagram.endBytes = to;
  }
  fragments.splice(index, 0, { from, payload });
  return undefined;
}

function join(datagram: Datagram, header: Ipv4Header): Uint8Array {
  const packet = new Uint8Array(IPV4_HEADER_BYTES + datagram.heldBytes);
  for (const { from, payload } of datagram.fragments) packet.set(payload, IPV4_HEADER_BYTES + from);
  encodeIpv4(packet, 0, {
    ...header,
    moreFragments: false,
    fragmentOffset: 0,
    totalBytes: packet.length,
  });
  return packet;
}

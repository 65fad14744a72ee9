// DNS, RFC 1035 §4.1, as far as the hot path needs it: telling queries apart by their bytes, and finding
// what changes in a stored reply. Whole messages are read and written in src/dns/message.

export const DNS_HEADER_BYTES = 12;

/** Offsets in the header. */
const FLAGS_AT = 2;
const QUESTION_COUNT_AT = 4;
const ANSWER_COUNT_AT = 6;
const AUTHORITY_COUNT_AT = 8;
const ADDITIONAL_COUNT_AT = 10;

const TYPE_A = 1;
const TYPE_AAAA = 28;
const TYPE_OPT = 41;
/** Type, class, TTL and data length after a record's name. */
const RECORD_FIXED_BYTES = 10;

/**
 * FNV-1a over all but the id. Two queries with the same bytes after the id get the same reply, so those
 * bytes are the key: name with its letter case, type, class, RD, CD, and EDNS with size and DO.
 */
export function hashQuery(packet: Uint8Array): number {
  let hash = 0x811c_9dc5;
  const { length } = packet;
  for (let index = FLAGS_AT; index < length; index += 1)
    hash = Math.imul(hash ^ (packet[index] as number), 0x0100_0193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** True when two queries differ in their id at most. */
export function sameQuery(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  for (let index = FLAGS_AT; index < length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

/** Makes a stored reply answer this query. */
export function copyId(query: Uint8Array, reply: Uint8Array): void {
  reply[0] = query[0] as number;
  reply[1] = query[1] as number;
}

/** Address records with one owner and one size, next to each other: their data may change places. */
export interface AddressRun {
  readonly count: number;
  readonly dataOffsets: readonly number[];
  readonly dataBytes: number;
}

/** Where a reply can be changed in place. */
export interface ReplyLayout {
  readonly ttlOffsets: readonly number[];
  /** Runs of at least two addresses. */
  readonly addressRuns: readonly AddressRun[];
  /** There are addresses whose order could not be changed in place. */
  readonly mixedAddresses: boolean;
}

interface RecordAt {
  readonly type: number;
  readonly ttlOffset: number;
  readonly dataOffset: number;
  readonly dataBytes: number;
  /** Bytes of the owner name: equal ones are the same owner. */
  readonly owner: string;
  readonly end: number;
}

/** Walks a reply this program wrote itself; throws a RangeError on anything that is not a message. */
export function layoutOfReply(reply: Buffer): ReplyLayout {
  const ttlOffsets: number[] = [];
  const addressRuns: AddressRun[] = [];
  let mixedAddresses = false;
  let offset = skipQuestions(reply);
  for (const countAt of [ANSWER_COUNT_AT, AUTHORITY_COUNT_AT, ADDITIONAL_COUNT_AT]) {
    const addresses: RecordAt[] = [];
    for (let left = reply.readUInt16BE(countAt); left > 0; left -= 1) {
      const record = recordAt(reply, offset);
      offset = record.end;
      if (record.type !== TYPE_OPT) ttlOffsets.push(record.ttlOffset);
      if (record.type === TYPE_A || record.type === TYPE_AAAA) addresses.push(record);
    }
    const [first] = addresses;
    if (first === undefined || addresses.length < 2) continue;
    if (addresses.every(({ owner, type }) => owner === first.owner && type === first.type))
      addressRuns.push({
        count: addresses.length,
        dataOffsets: addresses.map((address) => address.dataOffset),
        dataBytes: first.dataBytes,
      });
    else mixedAddresses = true;
  }
  return { ttlOffsets, addressRuns, mixedAddresses };
}

/** Changes two addresses of a run over. */
export function swapAddresses(reply: Uint8Array, run: AddressRun, a: number, b: number): void {
  const first = run.dataOffsets[a] as number;
  const second = run.dataOffsets[b] as number;
  for (let index = 0; index < run.dataBytes; index += 1) {
    const held = reply[first + index] as number;
    reply[first + index] = reply[second + index] as number;
    reply[second + index] = held;
  }
}

function skipQuestions(reply: Buffer): number {
  let offset = DNS_HEADER_BYTES;
  for (let left = reply.readUInt16BE(QUESTION_COUNT_AT); left > 0; left -= 1)
    offset = skipName(reply, offset) + 4;
  return offset;
}

function recordAt(reply: Buffer, offset: number): RecordAt {
  const fixed = skipName(reply, offset);
  const dataBytes = reply.readUInt16BE(fixed + 8);
  const dataOffset = fixed + RECORD_FIXED_BYTES;
  return {
    type: reply.readUInt16BE(fixed),
    ttlOffset: fixed + 4,
    dataOffset,
    dataBytes,
    owner: reply.toString('latin1', offset, fixed),
    end: dataOffset + dataBytes,
  };
}

function skipName(reply: Buffer, start: number): number {
  let offset = start;
  for (;;) {
    const length = reply.readUInt8(offset);
    if (length === 0) return offset + 1;
    if (length >= 0xc0) return offset + 2;
    offset += length + 1;
  }
}

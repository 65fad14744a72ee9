import { crc32 } from 'node:zlib';
import type { KubeObject } from '../../api/types/meta.ts';
import { isJsonObject } from '../../api/json.ts';
import type { StoreKey } from './store.ts';

/** One change in a log, or one object in a snapshot. */
export interface LogRecord {
  readonly revision: number;
  readonly key: StoreKey;
  /** Absent: deleted. */
  readonly object: KubeObject | undefined;
}

export type RecordOutcome =
  | { readonly kind: 'record'; readonly record: LogRecord; readonly next: number }
  /** Nothing more. */
  | { readonly kind: 'end' }
  /** Not a whole record: a write that was cut off, or damage. */
  | { readonly kind: 'torn'; readonly why: string };

/** Length and CRC-32 of the payload, little-endian; then the payload, JSON. */
const HEADER_BYTES = 8;
/** No object is near this: larger lengths are damage. */
const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;

export function encodeRecord(record: LogRecord): Buffer {
  const payload = Buffer.from(
    JSON.stringify({
      r: record.revision,
      k: record.key.resource,
      n: record.key.name,
      o: record.object ?? null,
    }),
  );
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([header, payload]);
}

export function decodeRecord(buffer: Buffer, at: number): RecordOutcome {
  if (at === buffer.length) return { kind: 'end' };
  if (buffer.length - at < HEADER_BYTES) return { kind: 'torn', why: 'the header is cut off' };
  const length = buffer.readUInt32LE(at);
  if (length > MAX_PAYLOAD_BYTES) return { kind: 'torn', why: 'the length makes no sense' };
  const start = at + HEADER_BYTES;
  const payload = buffer.subarray(start, start + length);
  if (payload.length < length) return { kind: 'torn', why: 'the payload is cut off' };
  if (crc32(payload) !== buffer.readUInt32LE(at + 4))
    return { kind: 'torn', why: 'the checksum is wrong' };
  const record = parsePayload(payload);
  return record === undefined
    ? { kind: 'torn', why: 'the payload is not a record' }
    : { kind: 'record', record, next: start + length };
}

function parsePayload(payload: Buffer): LogRecord | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString());
    if (!isJsonObject(value)) return undefined;
    const { r, k, n, o } = value;
    if (typeof r !== 'number' || typeof k !== 'string' || typeof n !== 'string') return undefined;
    return {
      revision: r,
      key: { resource: k, name: n },
      object: o === null ? undefined : (o as KubeObject),
    };
  } catch {
    return undefined;
  }
}

// RFC 792; next-hop MTU in "fragmentation needed" RFC 1191 §4.
import { readUint16, writeUint16 } from './bytes.ts';
import { checksumOf } from './checksum.ts';

export const ICMP_HEADER_BYTES = 8;

export const IcmpType = {
  echoReply: 0,
  destinationUnreachable: 3,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;

export const UnreachableCode = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  administrativelyProhibited: 13,
} as const;

export const TimeExceededCode = { inTransit: 0, reassembly: 1 } as const;

const OFFSET = { type: 0, code: 1, checksum: 2, first: 4, second: 6 } as const;

export interface IcmpHeader {
  type: number;
  code: number;
  /** Echo: the identifier. Errors: unused, 0. */
  identifier: number;
  /** Echo: the sequence number. Fragmentation needed: the next hop's MTU. */
  sequenceOrMtu: number;
}

export function emptyIcmp(): IcmpHeader {
  return { type: 0, code: 0, identifier: 0, sequenceOrMtu: 0 };
}

/** Fills `out` from the whole message `bytes[from, to)`; the body starts at {@link ICMP_HEADER_BYTES}. */
export function decodeIcmp(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: IcmpHeader,
): 'truncated' | 'bad-checksum' | undefined {
  if (to - from < ICMP_HEADER_BYTES) return 'truncated';
  if (checksumOf(bytes, from, to) !== 0) return 'bad-checksum';
  out.type = bytes[from + OFFSET.type] as number;
  out.code = bytes[from + OFFSET.code] as number;
  out.identifier = readUint16(bytes, from + OFFSET.first);
  out.sequenceOrMtu = readUint16(bytes, from + OFFSET.second);
  return undefined;
}

/** Writes the header at `at`; the body must already be in `bytes[at + ICMP_HEADER_BYTES, to)`. */
export function encodeIcmp(bytes: Uint8Array, at: number, to: number, header: IcmpHeader): void {
  bytes[at + OFFSET.type] = header.type;
  bytes[at + OFFSET.code] = header.code;
  writeUint16(bytes, at + OFFSET.checksum, 0);
  writeUint16(bytes, at + OFFSET.first, header.identifier);
  writeUint16(bytes, at + OFFSET.second, header.sequenceOrMtu);
  writeUint16(bytes, at + OFFSET.checksum, checksumOf(bytes, at, to));
}

const UNREACHABLE_NAMES: Readonly<Record<number, string>> = {
  [UnreachableCode.network]: 'net unreachable',
  [UnreachableCode.host]: 'host unreachable',
  [UnreachableCode.protocol]: 'protocol unreachable',
  [UnreachableCode.port]: 'port unreachable',
  [UnreachableCode.administrativelyProhibited]: 'admin prohibited',
};

/** tcpdump's wording. */
export function describeIcmp(header: IcmpHeader): string {
  switch (header.type) {
    case IcmpType.echoRequest:
      return `ICMP echo request, id ${header.identifier}, seq ${header.sequenceOrMtu}`;
    case IcmpType.echoReply:
      return `ICMP echo reply, id ${header.identifier}, seq ${header.sequenceOrMtu}`;
    case IcmpType.destinationUnreachable:
      return header.code === UnreachableCode.fragmentationNeeded
        ? `ICMP unreachable - need to frag (mtu ${header.sequenceOrMtu})`
        : `ICMP ${UNREACHABLE_NAMES[header.code] ?? `unreachable code ${header.code}`}`;
    case IcmpType.timeExceeded:
      return header.code === TimeExceededCode.reassembly
        ? 'ICMP ip reassembly time exceeded'
        : 'ICMP time exceeded in-transit';
    default:
      return `ICMP type ${header.type} code ${header.code}`;
  }
}

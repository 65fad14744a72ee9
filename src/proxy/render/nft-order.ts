import type { Protocol } from '../../api/types/core.ts';
import { parseIp } from '../../base/ip.ts';

const PROTOCOL_NUMBER: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/** A concatenated key of a map, and the element it belongs to. */
export interface KeyedElement {
  /** Absent in maps of node ports. */
  readonly address: string | undefined;
  readonly protocol: Protocol;
  readonly port: number;
  readonly text: string;
}

/**
 * The order of `nft list`: it compares concatenations as integers of the host's (little-endian) byte order,
 * so the last byte on the wire counts most.
 */
export function inElementOrder(elements: readonly KeyedElement[]): string[] {
  return elements
    .toSorted(
      (a, b) =>
        swapBytes(a.port) - swapBytes(b.port) ||
        PROTOCOL_NUMBER[a.protocol] - PROTOCOL_NUMBER[b.protocol] ||
        compare(reversed(a.address ?? ''), reversed(b.address ?? '')),
    )
    .map(({ text }) => text);
}

/** Addresses alone are compared as numbers. */
export function inAddressOrder(values: readonly string[]): string[] {
  return values.toSorted((a, b) => compare(numberOf(a), numberOf(b)));
}

function swapBytes(port: number): number {
  return ((port & 255) << 8) | (port >> 8);
}

function compare(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function numberOf(text: string): bigint {
  return BigInt(parseIp(text)?.value ?? 0);
}

function reversed(address: string): bigint {
  const bytes = address.includes(':') ? 16 : 4;
  let value = numberOf(address);
  let result = 0n;
  for (let index = 0; index < bytes; index += 1) {
    result = (result << 8n) | (value & 255n);
    value >>= 8n;
  }
  return result;
}

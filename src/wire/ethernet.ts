// IEEE 802.3 clause 3, DIX framing: destination, source, EtherType, payload. No FCS: nobody hands it on.
import { readUint16, writeUint16 } from './bytes.ts';
import { formatMac, type MacAddress, readMac, writeMac } from './mac.ts';

export const ETHERNET_HEADER_BYTES = 14;

export const EtherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;

const OFFSET = { destination: 0, source: 6, type: 12 } as const;

/** Mutable: one record is reused for every frame of a hot path. */
export interface EthernetHeader {
  destination: MacAddress;
  source: MacAddress;
  /** EtherType, host order. Values below 0x600 are 802.3 lengths, which podwire does not speak. */
  type: number;
}

export function emptyEthernet(): EthernetHeader {
  return { destination: 0, source: 0, type: 0 };
}

/** Fills `out` from `bytes[from, to)`. */
export function decodeEthernet(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: EthernetHeader,
): 'truncated' | undefined {
  if (to - from < ETHERNET_HEADER_BYTES) return 'truncated';
  out.destination = readMac(bytes, from + OFFSET.destination);
  out.source = readMac(bytes, from + OFFSET.source);
  out.type = readUint16(bytes, from + OFFSET.type);
  return undefined;
}

/** Writes {@link ETHERNET_HEADER_BYTES} at `at`. */
export function encodeEthernet(bytes: Uint8Array, at: number, header: EthernetHeader): void {
  writeMac(bytes, at + OFFSET.destination, header.destination);
  writeMac(bytes, at + OFFSET.source, header.source);
  writeUint16(bytes, at + OFFSET.type, header.type);
}

export function describeEthernet(header: EthernetHeader): string {
  const type = header.type.toString(16).padStart(4, '0');
  return `${formatMac(header.source)} > ${formatMac(header.destination)}, ethertype 0x${type}`;
}

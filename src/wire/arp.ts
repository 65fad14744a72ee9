// RFC 826, for IPv4 over Ethernet only (hardware type 1, protocol 0x0800).
import { formatIpv4 } from '../base/ip.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from './bytes.ts';
import { EtherType } from './ethernet.ts';
import { formatMac, type MacAddress, readMac, writeMac } from './mac.ts';

export const ARP_BYTES = 28;

export const ArpOperation = { request: 1, reply: 2 } as const;

const HARDWARE_ETHERNET = 1;
const OFFSET = {
  hardwareType: 0,
  protocolType: 2,
  hardwareLength: 4,
  protocolLength: 5,
  operation: 6,
  senderMac: 8,
  senderIp: 14,
  targetMac: 18,
  targetIp: 24,
} as const;

export interface ArpPacket {
  operation: number;
  senderMac: MacAddress;
  senderIp: number;
  targetMac: MacAddress;
  targetIp: number;
}

export function emptyArp(): ArpPacket {
  return { operation: 0, senderMac: 0, senderIp: 0, targetMac: 0, targetIp: 0 };
}

export function decodeArp(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: ArpPacket,
): 'truncated' | 'unsupported' | undefined {
  if (to - from < ARP_BYTES) return 'truncated';
  if (
    readUint16(bytes, from + OFFSET.hardwareType) !== HARDWARE_ETHERNET ||
    readUint16(bytes, from + OFFSET.protocolType) !== EtherType.ipv4 ||
    bytes[from + OFFSET.hardwareLength] !== 6 ||
    bytes[from + OFFSET.protocolLength] !== 4
  )
    return 'unsupported';
  out.operation = readUint16(bytes, from + OFFSET.operation);
  out.senderMac = readMac(bytes, from + OFFSET.senderMac);
  out.senderIp = readUint32(bytes, from + OFFSET.senderIp);
  out.targetMac = readMac(bytes, from + OFFSET.targetMac);
  out.targetIp = readUint32(bytes, from + OFFSET.targetIp);
  return undefined;
}

/** Writes {@link ARP_BYTES} at `at`. */
export function encodeArp(bytes: Uint8Array, at: number, packet: ArpPacket): void {
  writeUint16(bytes, at + OFFSET.hardwareType, HARDWARE_ETHERNET);
  writeUint16(bytes, at + OFFSET.protocolType, EtherType.ipv4);
  bytes[at + OFFSET.hardwareLength] = 6;
  bytes[at + OFFSET.protocolLength] = 4;
  writeUint16(bytes, at + OFFSET.operation, packet.operation);
  writeMac(bytes, at + OFFSET.senderMac, packet.senderMac);
  writeUint32(bytes, at + OFFSET.senderIp, packet.senderIp);
  writeMac(bytes, at + OFFSET.targetMac, packet.targetMac);
  writeUint32(bytes, at + OFFSET.targetIp, packet.targetIp);
}

/** tcpdump's wording. */
export function describeArp(packet: ArpPacket): string {
  const sender = formatIpv4(packet.senderIp);
  const target = formatIpv4(packet.targetIp);
  return packet.operation === ArpOperation.request
    ? `ARP, Request who-has ${target} tell ${sender}`
    : `ARP, Reply ${sender} is-at ${formatMac(packet.senderMac)}`;
}

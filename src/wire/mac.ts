import { readUint16, readUint32, writeUint16, writeUint32 } from './bytes.ts';

/** A 48-bit MAC address as an unsigned integer. */
export type MacAddress = number;

export const BROADCAST_MAC: MacAddress = 0xffff_ffff_ffff;

const UINT32_RANGE = 0x1_0000_0000;
const GROUP_BIT = 0x0100_0000_0000;
const MAC_TEXT = /^[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}$/;

/** `aa:bb:cc:dd:ee:ff` or with dashes; undefined for anything else. */
export function parseMac(text: string): MacAddress | undefined {
  return MAC_TEXT.test(text) ? Number.parseInt(text.replaceAll(/[:-]/g, ''), 16) : undefined;
}

export function formatMac(mac: MacAddress): string {
  const digits = mac.toString(16).padStart(12, '0');
  return digits.replaceAll(/(..)(?!$)/g, '$1:');
}

/** Broadcast or multicast. */
export function isGroupMac(mac: MacAddress): boolean {
  return mac % (2 * GROUP_BIT) >= GROUP_BIT;
}

export function readMac(bytes: Uint8Array, at: number): MacAddress {
  return readUint16(bytes, at) * UINT32_RANGE + readUint32(bytes, at + 2);
}

export function writeMac(bytes: Uint8Array, at: number, mac: MacAddress): void {
  writeUint16(bytes, at, Math.floor(mac / UINT32_RANGE));
  writeUint32(bytes, at + 2, mac % UINT32_RANGE);
}

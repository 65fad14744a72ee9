// RFC 7348 §5, judged as strictly as Linux 6.18 does without GBP, GPE or remote checksum offload: the
// first byte is exactly the I flag and every reserved bit is zero.
import { readUint32, writeUint32 } from './bytes.ts';

export const VXLAN_HEADER_BYTES = 8;

const FLAGS_WORD = 0x0800_0000;
const I_FLAG = 0x0800_0000;

export type VxlanError = 'truncated' | 'no-vni-flag' | 'reserved-bits';

export interface VxlanHeader {
  /** 24 bits. */
  vni: number;
}

export function decodeVxlan(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: VxlanHeader,
): VxlanError | undefined {
  if (to - from < VXLAN_HEADER_BYTES) return 'truncated';
  const flags = readUint32(bytes, from);
  if ((flags & I_FLAG) === 0) return 'no-vni-flag';
  const word = readUint32(bytes, from + 4);
  if (flags !== FLAGS_WORD || (word & 0xff) !== 0) return 'reserved-bits';
  out.vni = word >>> 8;
  return undefined;
}

/** Writes {@link VXLAN_HEADER_BYTES} at `at`: exactly `08 000000 VNI 00`. */
export function encodeVxlan(bytes: Uint8Array, at: number, header: VxlanHeader): void {
  writeUint32(bytes, at, FLAGS_WORD);
  writeUint32(bytes, at + 4, header.vni << 8);
}

export function describeVxlan(header: VxlanHeader): string {
  return `VXLAN, flags [I] (0x08), vni ${header.vni}`;
}

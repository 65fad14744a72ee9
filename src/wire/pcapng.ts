// draft-ietf-opsawg-pcapng: Section Header (§4.1), Interface Description (§4.2), Enhanced Packet (§4.3).
// Little-endian. Each function returns one whole block, so a capture is a stream of them, to a file or a
// pipe; a reader may join at any block boundary only after the section header and the interfaces.

const BlockType = { sectionHeader: 0x0a0d_0d0a, interface: 1, enhancedPacket: 6 } as const;
const OptionCode = { end: 0, comment: 1, ifName: 2, packetFlags: 2, ifTsresol: 9 } as const;

const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const LINKTYPE_ETHERNET = 1;
/** if_tsresol: stamps count units of 10^-9 s. */
const NANOSECONDS = 9;
const UINT32_RANGE = 0x1_0000_0000n;

const text = new TextEncoder();

/** Of the capturing side: what its interface took in or put out. */
export type PacketDirection = 'inbound' | 'outbound';

/** epb_flags, bits 0-1. */
const DIRECTION_FLAGS: Readonly<Record<PacketDirection, number>> = { inbound: 1, outbound: 2 };

export interface CapturedPacket {
  /** 0 for the first {@link pcapngInterface} block of the file, and so on. */
  readonly interfaceId: number;
  /** Nanoseconds since the Unix epoch. */
  readonly timestampNs: bigint;
  readonly direction?: PacketDirection;
  /** Shown by Wireshark as the packet's comment; podwire puts drop reasons here. */
  readonly comment?: string;
  /** From the Ethernet header on. */
  readonly bytes: Uint8Array;
}

/** The first block of a file. */
export function pcapngSectionHeader(): Uint8Array {
  return block(BlockType.sectionHeader, 16, (view) => {
    view.setUint32(0, BYTE_ORDER_MAGIC, true);
    view.setUint16(4, 1, true);
    view.setUint16(6, 0, true);
    // Section length unknown, so that the file can be a stream.
    view.setBigInt64(8, -1n, true);
  });
}

/** One per capture point, before its packets. `name` is what Wireshark lists as the interface. */
export function pcapngInterface(name: string): Uint8Array {
  const options = encodeOptions([
    { code: OptionCode.ifName, value: text.encode(name) },
    { code: OptionCode.ifTsresol, value: Uint8Array.of(NANOSECONDS) },
  ]);
  return block(BlockType.interface, 8 + options.length, (view, body) => {
    view.setUint16(0, LINKTYPE_ETHERNET, true);
    view.setUint32(4, 0, true);
    body.set(options, 8);
  });
}

export function pcapngPacket(packet: CapturedPacket): Uint8Array {
  const captured = packet.bytes.length;
  const padded = alignUp(captured);
  const options = encodeOptions(packetOptions(packet));
  return block(BlockType.enhancedPacket, 20 + padded + options.length, (view, body) => {
    view.setUint32(0, packet.interfaceId, true);
    view.setUint32(4, Number(packet.timestampNs / UINT32_RANGE), true);
    view.setUint32(8, Number(packet.timestampNs % UINT32_RANGE), true);
    view.setUint32(12, captured, true);
    view.setUint32(16, captured, true);
    body.set(packet.bytes, 20);
    body.set(options, 20 + padded);
  });
}

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

function packetOptions(packet: CapturedPacket): Option[] {
  const options: Option[] = [];
  if (packet.comment !== undefined)
    options.push({ code: OptionCode.comment, value: text.encode(packet.comment) });
  if (packet.direction !== undefined)
    options.push({
      code: OptionCode.packetFlags,
      value: Uint8Array.of(DIRECTION_FLAGS[packet.direction], 0, 0, 0),
    });
  return options;
}

function encodeOptions(options: readonly Option[]): Uint8Array {
  if (options.length === 0) return new Uint8Array(0);
  const length = options.reduce((sum, option) => sum + 4 + alignUp(option.value.length), 4);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const option of options) {
    view.setUint16(at, option.code, true);
    view.setUint16(at + 2, option.value.length, true);
    bytes.set(option.value, at + 4);
    at += 4 + alignUp(option.value.length);
  }
  view.setUint16(at, OptionCode.end, true);
  return bytes;
}

function block(
  type: number,
  bodyBytes: number,
  fill: (view: DataView, body: Uint8Array) => void,
): Uint8Array {
  const bytes = new Uint8Array(12 + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, bytes.length, true);
  fill(new DataView(bytes.buffer, 8, bodyBytes), bytes.subarray(8, 8 + bodyBytes));
  view.setUint32(8 + bodyBytes, bytes.length, true);
  return bytes;
}

function alignUp(length: number): number {
  return (length + 3) & ~3;
}

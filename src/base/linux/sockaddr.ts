import { formatIp, parseIp } from '../ip.ts';
import type { SocketAddress } from '../socket-address.ts';
import { AF_INET, AF_INET6, SOCKADDR } from './abi.ts';

/** `::ffff:0:0/96`: what a dual-stack socket calls an IPv4 client (RFC 4291 section 2.5.5.2). */
const MAPPED_PREFIX = 0xffffn << 32n;

/** Addresses of endpoints and nodes come again and again; more than so many, and the table starts anew. */
const MOST_REMEMBERED = 4096;
/** Encoded with port 0. */
const remembered = new Map<string, Uint8Array>();

/** Writes a struct sockaddr at the start of `bytes` and returns its length. `address` must be an IP address. */
export function encodeSockaddr({ address, port }: SocketAddress, bytes: Uint8Array): number {
  const encoded = sockaddrOf(address);
  bytes.set(encoded);
  bytes[SOCKADDR.port] = port >> 8;
  bytes[SOCKADDR.port + 1] = port & 255;
  return encoded.length;
}

export function isSameFamily(address: string, other: string): boolean {
  return sockaddrOf(address).length === sockaddrOf(other).length;
}

function sockaddrOf(address: string): Uint8Array {
  const known = remembered.get(address);
  if (known !== undefined) return known;
  const encoded = encodeAddress(address);
  if (remembered.size >= MOST_REMEMBERED) remembered.clear();
  remembered.set(address, encoded);
  return encoded;
}

function encodeAddress(address: string): Uint8Array {
  const ip = parseIp(address);
  if (ip === undefined) throw new TypeError(`not an IP address: "${address}"`);
  if (ip.family === 'IPv4') {
    const view = new DataView(new ArrayBuffer(SOCKADDR.v4Bytes));
    view.setUint16(0, AF_INET, true);
    view.setUint32(SOCKADDR.v4Address, ip.value);
    return new Uint8Array(view.buffer);
  }
  const view = new DataView(new ArrayBuffer(SOCKADDR.v6Bytes));
  view.setUint16(0, AF_INET6, true);
  view.setBigUint64(SOCKADDR.v6Address, ip.value >> 64n);
  view.setBigUint64(SOCKADDR.v6Address + 8, ip.value & 0xffff_ffff_ffff_ffffn);
  return new Uint8Array(view.buffer);
}

export function decodeSockaddr(bytes: Uint8Array): SocketAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const port = view.getUint16(SOCKADDR.port);
  if (view.getUint16(0, true) === AF_INET)
    return {
      address: formatIp({ family: 'IPv4', value: view.getUint32(SOCKADDR.v4Address) }),
      port,
    };
  const value =
    (view.getBigUint64(SOCKADDR.v6Address) << 64n) | view.getBigUint64(SOCKADDR.v6Address + 8);
  if (value >> 32n === MAPPED_PREFIX >> 32n) {
    const embedded = formatIp({ family: 'IPv4', value: Number(value & 0xffff_ffffn) });
    return { address: `::ffff:${embedded}`, port };
  }
  return { address: formatIp({ family: 'IPv6', value }), port };
}

import { formatIp, parseIp } from '../../../base/ip.ts';
import type { SocketAddress } from '../../flow.ts';
import { AF_INET, AF_INET6, SOCKADDR } from './abi.ts';

/** `::ffff:0:0/96`: what a dual-stack socket calls an IPv4 client (RFC 4291 section 2.5.5.2). */
const MAPPED_PREFIX = 0xffffn << 32n;

/** Writes a struct sockaddr at the start of `bytes` and returns its length. `address` must be an IP address. */
export function encodeSockaddr({ address, port }: SocketAddress, bytes: Uint8Array): number {
  const ip = parseIp(address);
  if (ip === undefined) throw new TypeError(`not an IP address: "${address}"`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint16(SOCKADDR.port, port);
  if (ip.family === 'IPv4') {
    view.setUint16(0, AF_INET, true);
    view.setUint32(SOCKADDR.v4Address, ip.value);
    return SOCKADDR.v4Bytes;
  }
  bytes.fill(0, SOCKADDR.v4Address, SOCKADDR.v6Bytes);
  view.setUint16(0, AF_INET6, true);
  view.setBigUint64(SOCKADDR.v6Address, ip.value >> 64n);
  view.setBigUint64(SOCKADDR.v6Address + 8, ip.value & 0xffff_ffff_ffff_ffffn);
  return SOCKADDR.v6Bytes;
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

import { cidrOf, formatIp, formatIpv4, parseIp, parseIpv4 } from '../../base/ip.ts';
import type { SocketAddress } from '../flow.ts';
import type { ConnectionProtocol } from './connection.ts';
import type { Persistence, VirtualService } from './virtual-service.ts';

const FTP_PORT = 21;

/** What a persistence template is found by. */
export interface TemplateKey {
  readonly protocol: ConnectionProtocol;
  readonly client: SocketAddress;
  readonly virtual: SocketAddress;
}

/**
 * The template a new connection belongs to (ip_vs_sched_persist). A service of one port has its own;
 * services of every port, and FTP, share one for all ports; a fwmark service has one for everything.
 */
export function templateKey(
  service: VirtualService,
  persistence: Persistence,
  protocol: 'TCP' | 'UDP',
  source: SocketAddress,
  destination: SocketAddress,
): TemplateKey {
  const client = { address: maskedClient(source.address, persistence.netmask), port: 0 };
  if (service.id.kind === 'fwmark') {
    const address = markAsAddress(service.id.fwmark, service.id.family === 'IPv6');
    return { protocol: 'IP', client, virtual: { address, port: 0 } };
  }
  const ownPort = destination.port === service.port && service.port !== FTP_PORT;
  const virtual = { address: destination.address, port: ownPort ? destination.port : 0 };
  return { protocol, client, virtual };
}

/** The port a template shows; connections compute their own. */
export function templatePort(
  service: VirtualService,
  dialledPort: number,
  destinationPort: number,
): number {
  return dialledPort === service.port && service.port !== FTP_PORT ? destinationPort : 0;
}

function maskedClient(address: string, netmask: number): string {
  const ipv4 = parseIpv4(address);
  if (ipv4 !== undefined)
    return netmask === 0xffff_ffff ? address : formatIpv4((ipv4 & netmask) >>> 0);
  const ip = netmask >= 128 ? undefined : parseIp(address);
  if (ip === undefined || ip.family === 'IPv4') return address;
  const block = cidrOf(ip, netmask);
  return block.family === 'IPv6' ? formatIp({ family: 'IPv6', value: block.base }) : address;
}

/** Where an address is expected, the kernel shows the mark in its first 32 bits: 1 is 0.0.0.1. */
function markAsAddress(fwmark: number, ipv6: boolean): string {
  if (!ipv6) return formatIpv4(fwmark >>> 0);
  return formatIp({ family: 'IPv6', value: BigInt(fwmark >>> 0) << 96n });
}

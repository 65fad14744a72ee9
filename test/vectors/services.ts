// Services and addresses of a trace, in the core's words.
import { formatHostPort, formatIp, parseIp, parseIpv4 } from '../../src/base/ip.ts';
import type { SocketAddress } from '../../src/proxy/flow.ts';
import { isSchedulerName } from '../../src/proxy/ipvs/schedulers/registry.ts';
import type {
  Persistence,
  ServiceId,
  ServiceSettings,
} from '../../src/proxy/ipvs/virtual-service.ts';
import type { TraceService } from './trace.ts';

/** `10.0.0.1:80` or `[fd00::1]:80`, to canonical text and number. */
export function socketAddress(text: string): SocketAddress {
  const at = text.lastIndexOf(':');
  const ip = parseIp(text.slice(0, at).replace(/^\[|\]$/g, ''));
  const port = Number(text.slice(at + 1));
  if (ip === undefined || !Number.isInteger(port)) throw new Error(`"${text}" is no address:port`);
  return { address: formatIp(ip), port };
}

export function serviceId(service: TraceService): ServiceId {
  if (service.addr === undefined) {
    const ipv6 = service.dests?.[0]?.dest.startsWith('[') === true;
    return { kind: 'fwmark', fwmark: service.fwmark ?? 0, family: ipv6 ? 'IPv6' : 'IPv4' };
  }
  const protocol = service.protocol?.toUpperCase() ?? 'TCP';
  if (protocol !== 'TCP' && protocol !== 'UDP') throw new Error(`unknown protocol "${protocol}"`);
  return { kind: 'address', protocol, ...socketAddress(service.addr) };
}

/** The one way to write an address and port; other texts as they are. */
export function canonicalName(text: string): string {
  try {
    const { address, port } = socketAddress(text);
    return formatHostPort(address, port);
  } catch {
    return text;
  }
}

/** What the service is called among several: its address, or its mark. */
export function serviceName(id: ServiceId): string {
  return id.kind === 'fwmark' ? `fwmark ${id.fwmark}` : formatHostPort(id.address, id.port);
}

/** `-b` of ipvsadm. */
const FLAGS = ['sh-fallback', 'mh-fallback', 'flag-1', 'sh-port', 'mh-port', 'flag-2'];

export function serviceSettings(service: TraceService, scheduler: string): ServiceSettings {
  if (!isSchedulerName(scheduler)) throw new Error(`unknown scheduler "${scheduler}"`);
  const given = service.flags ?? [];
  const flags = typeof given === 'string' ? given.split(',').filter(Boolean) : given;
  const unknown = flags.find((flag) => !FLAGS.includes(flag));
  if (unknown !== undefined) throw new Error(`unknown flag "${unknown}"`);
  const persistence = persistenceOf(service);
  return {
    scheduler,
    schedulerFlags: {
      fallback: flags.some((flag) => flag.endsWith('-fallback') || flag === 'flag-1'),
      port: flags.some((flag) => flag.endsWith('-port') || flag === 'flag-2'),
    },
    onePacket: service.ops === true,
    ...(persistence === undefined ? {} : { persistence }),
  };
}

function persistenceOf(service: TraceService): Persistence | undefined {
  if (service.persistent === undefined || service.persistent <= 0) return undefined;
  const id = serviceId(service);
  const family = id.kind === 'fwmark' ? id.family : id.address.includes(':') ? 'IPv6' : 'IPv4';
  const timeoutMs = service.persistent * 1000;
  return { timeoutMs, netmask: netmaskOf(service.netmask, family === 'IPv6') };
}

function netmaskOf(netmask: string | number | undefined, ipv6: boolean): number {
  if (netmask === undefined) return ipv6 ? 128 : 0xffff_ffff;
  const dotted = typeof netmask === 'string' ? parseIpv4(netmask) : undefined;
  if (dotted !== undefined) return dotted;
  const length = Number(String(netmask).replace('/', ''));
  if (ipv6) return length;
  // A number too large for a prefix length is the mask itself.
  if (length > 32) return length;
  return length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0;
}

import { formatHostPort, parseIp } from '../../base/ip.ts';
import type { ConnectionListing, DestinationListing, ServiceListing } from '../ipvs/listing.ts';
import type { Traffic } from '../ipvs/traffic.ts';
import type { ServiceId } from '../ipvs/virtual-service.ts';

/** Of the connection hash table; the kernel's usual IP_VS_TAB_BITS of 12. */
const TITLE = 'IP Virtual Server version 1.2.1 (size=4096)';

/** Only netlink's masks of single hosts go without `mask`. */
const IPV4_HOST_MASK = 0xffff_ffff;
const IPV6_HOST_PREFIX = 128;

/** `ipvsadm -L -n` (1.31). Sorted by address as it does; `sort: false` is `--nosort`, the kernel's order. */
export function renderIpvsadmList(
  services: readonly ServiceListing[],
  options: { readonly sort?: boolean } = {},
): string {
  const lines = [
    TITLE,
    'Prot LocalAddress:Port Scheduler Flags',
    '  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn',
  ];
  for (const service of inOrder(services, options.sort)) {
    lines.push(`${serviceName(service.id)} ${service.scheduler}${flagsOf(service)}`);
    for (const one of service.destinations) {
      const name = formatHostPort(one.address, one.port).padEnd(28);
      const active = String(one.activeConnections).padEnd(10);
      const inactive = String(one.inactiveConnections).padEnd(10);
      lines.push(
        `  -> ${name} ${'Masq'.padEnd(7)} ${String(one.weight).padEnd(6)} ${active} ${inactive}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

/** `ipvsadm -L -n --stats`. */
export function renderIpvsadmStats(
  services: readonly ServiceListing[],
  options: { readonly sort?: boolean } = {},
): string {
  const columns = ['Conns', 'InPkts', 'OutPkts', 'InBytes', 'OutBytes'];
  return trafficTable(inOrder(services, options.sort), columns, ({ traffic }) => traffic);
}

/** `ipvsadm -L -n --rate`. */
export function renderIpvsadmRates(
  services: readonly ServiceListing[],
  options: { readonly sort?: boolean } = {},
): string {
  const columns = ['CPS', 'InPPS', 'OutPPS', 'InBPS', 'OutBPS'];
  return trafficTable(inOrder(services, options.sort), columns, ({ rates }) => rates);
}

function trafficTable(
  services: readonly ServiceListing[],
  columns: readonly string[],
  shown: (one: ServiceListing | DestinationListing) => Readonly<Traffic>,
): string {
  const lines = [
    TITLE,
    `${'Prot LocalAddress:Port'.padEnd(33)} ${columns.map((name) => name.padStart(8)).join(' ')}`,
    '  -> RemoteAddress:Port',
  ];
  for (const service of services) {
    lines.push(serviceName(service.id).padEnd(33) + trafficColumns(shown(service)));
    for (const one of service.destinations)
      lines.push(
        `  -> ${formatHostPort(one.address, one.port).padEnd(28)}${trafficColumns(shown(one))}`,
      );
  }
  return `${lines.join('\n')}\n`;
}

/** `ipvsadm -L -n -c`. */
export function renderIpvsadmConnections(connections: readonly ConnectionListing[]): string {
  const row = (...cells: readonly string[]): string =>
    cells
      .map((cell, index) => cell.padEnd(CONNECTION_COLUMNS[index] ?? 0))
      .join(' ')
      .trimEnd();
  const lines = [
    'IPVS connection entries',
    row('pro', 'expire', 'state', 'source', 'virtual', 'destination'),
    ...connections.map((one) =>
      row(
        one.protocol,
        formatExpiry(one.expiresInMs),
        one.state,
        formatHostPort(one.client.address, one.client.port),
        formatHostPort(one.virtual.address, one.virtual.port),
        formatHostPort(one.destination.address, one.destination.port),
      ),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

const CONNECTION_COLUMNS = [3, 6, 11, 18, 18] as const;

function serviceName(id: ServiceId): string {
  if (id.kind === 'fwmark') return `FWM  ${id.fwmark}${id.family === 'IPv6' ? ' IPv6' : ''}`;
  return `${id.protocol.padEnd(4)} ${formatHostPort(id.address, id.port)}`;
}

function flagsOf({
  scheduler,
  schedulerFlags,
  persistence,
  onePacket,
  id,
}: ServiceListing): string {
  const named = scheduler === 'sh' || scheduler === 'mh';
  const flags = [
    ...(schedulerFlags.fallback ? [named ? `${scheduler}-fallback` : 'flag-1'] : []),
    ...(schedulerFlags.port ? [named ? `${scheduler}-port` : 'flag-2'] : []),
  ];
  let text = flags.length === 0 ? '' : ` (${flags.join(',')})`;
  if (persistence !== undefined) {
    text += ` persistent ${persistence.timeoutMs / 1000}`;
    const ipv6 = id.kind === 'fwmark' ? id.family === 'IPv6' : id.address.includes(':');
    if (ipv6 && persistence.netmask !== IPV6_HOST_PREFIX) text += ` mask ${persistence.netmask}`;
    if (!ipv6 && persistence.netmask !== IPV4_HOST_MASK)
      text += ` mask ${formatMask(persistence.netmask)}`;
  }
  return onePacket ? `${text} ops` : text;
}

function formatMask(mask: number): string {
  return [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.');
}

/** ipvsadm rounds down to whole seconds. */
function formatExpiry(expiresInMs: number): string {
  const seconds = Math.max(Math.floor(expiresInMs / 1000), 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}

function trafficColumns(traffic: Readonly<Traffic>): string {
  return [
    traffic.connections,
    traffic.packetsIn,
    traffic.packetsOut,
    traffic.bytesIn,
    traffic.bytesOut,
  ]
    .map(largeNumber)
    .join('');
}

/** Nine columns: above a hundred million in thousands, and so on. */
function largeNumber(value: number): string {
  if (value < 1e8) return String(value).padStart(9);
  const [unit, letter] =
    value < 1e9 ? [1e3, 'K'] : value < 1e11 ? [1e6, 'M'] : value < 1e14 ? [1e9, 'G'] : [1e12, 'T'];
  return String(Math.floor(value / unit)).padStart(8) + letter;
}

function inOrder(
  services: readonly ServiceListing[],
  sort: boolean = true,
): readonly ServiceListing[] {
  if (!sort) return services;
  return services
    .map((service) => ({ ...service, destinations: service.destinations.toSorted(byDestination) }))
    .toSorted(byService);
}

function byService(a: ServiceListing, b: ServiceListing): number {
  const [one, other] = [a.id, b.id];
  if (one.kind === 'fwmark' || other.kind === 'fwmark')
    return (one.kind === 'fwmark' ? one.fwmark : 0) - (other.kind === 'fwmark' ? other.fwmark : 0);
  const families = Number(one.address.includes(':')) - Number(other.address.includes(':'));
  const protocols = one.protocol < other.protocol ? -1 : Number(one.protocol > other.protocol);
  return (
    families || protocols || compareAddresses(one.address, other.address) || one.port - other.port
  );
}

function byDestination(a: DestinationListing, b: DestinationListing): number {
  return compareAddresses(a.address, b.address) || a.port - b.port;
}

/** ipvsadm keeps the difference in an int: addresses half the space apart are the wrong way round. */
function compareAddresses(a: string, b: string): number {
  const [one, other] = [parseIp(a), parseIp(b)];
  if (one?.family === 'IPv4' && other?.family === 'IPv4') return (one.value - other.value) | 0;
  if (one?.family !== 'IPv6' || other?.family !== 'IPv6') return 0;
  for (const shift of [96n, 64n, 32n, 0n]) {
    const word = (value: bigint): number => Number((value >> shift) & 0xffff_ffffn);
    const difference = (word(one.value) - word(other.value)) | 0;
    if (difference !== 0) return difference;
  }
  return 0;
}

// What the tools of iproute2 6.1 print for the same entries, without the space that ip puts at the end of a line.
import { formatCidr, formatIp, type IpAddress } from '../base/ip.ts';
import { formatMac, type MacAddress } from '../wire/mac.ts';
import type { FdbEntry, NeighbourEntry, RouteEntry } from './forwarding-entries.ts';

/** A vxlan device as `ip -d link show` has it. */
export interface VxlanLink {
  readonly index: number;
  readonly name: string;
  readonly mac: MacAddress;
  readonly mtu: number;
  readonly vni: number;
  readonly local: IpAddress;
  readonly underlayDevice: string;
  readonly port: number;
  readonly learning: boolean;
  readonly counters: LinkCounters;
}

/** Of a device since it was made; dropped frames are those it was to send or had received. */
export interface LinkCounters {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly receivedDropped: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly sentDropped: number;
}

/** `ip route`, or `ip route show dev DEVICE`: one line a route, in the order of the kernel's table. */
export function renderRoutes(routes: Iterable<RouteEntry>, device?: string): string {
  return onDevice(routes, device)
    .toSorted(byDestination)
    .map((route) => {
      const words = [formatCidr(route.destination)];
      if (route.via !== undefined) words.push('via', formatIp(route.via));
      if (device === undefined) words.push('dev', route.device);
      if (route.via === undefined) words.push('proto kernel scope link');
      if (route.source !== undefined) words.push('src', formatIp(route.source));
      if (route.onlink === true) words.push('onlink');
      return `${words.join(' ')}\n`;
    })
    .join('');
}

/** `ip neigh`, or `ip neigh show dev DEVICE`. */
export function renderNeighbours(neighbours: Iterable<NeighbourEntry>, device?: string): string {
  return onDevice(neighbours, device)
    .map(({ address, mac, device: own }) => {
      const dev = device === undefined ? ` dev ${own}` : '';
      return `${formatIp(address)}${dev} lladdr ${formatMac(mac)} PERMANENT\n`;
    })
    .join('');
}

/** `bridge fdb show dev DEVICE` or, without a device, `bridge fdb`. */
export function renderFdb(entries: Iterable<FdbEntry>, device?: string): string {
  return onDevice(entries, device)
    .map(({ mac, destination, device: own }) => {
      const dev = device === undefined ? ` dev ${own}` : '';
      return `${formatMac(mac)}${dev} dst ${formatIp(destination)} self permanent\n`;
    })
    .join('');
}

/** `ip link show flannel.1`, with `-d` and `-s`. */
export function renderLink(
  link: VxlanLink,
  options: { readonly isDetailed: boolean; readonly hasStatistics: boolean },
): string {
  const details = options.isDetailed
    ? [' promiscuity 0  allmulti 0 minmtu 68 maxmtu 65535', vxlanDetails(link)]
    : [''];
  return [
    `${link.index}: ${link.name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${link.mtu} qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000`,
    `    link/ether ${formatMac(link.mac)} brd ff:ff:ff:ff:ff:ff${details.join('\n')}`,
    ...(options.hasStatistics ? statistics(link.counters) : []),
    '',
  ].join('\n');
}

function vxlanDetails(link: VxlanLink): string {
  const learning = link.learning ? 'learning' : 'nolearning';
  const local = `local${link.local.family === 'IPv6' ? '6' : ''} ${formatIp(link.local)}`;
  return `    vxlan id ${link.vni} ${local} dev ${link.underlayDevice} srcport 0 0 dstport ${link.port} ${learning} ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx addrgenmode eui64 numtxqueues 1 numrxqueues 1 gso_max_size 65536 gso_max_segs 65535 tso_max_size 524280 tso_max_segs 65535 gro_max_size 65536`;
}

/** iproute2 widens a column for the longest number in it. */
function statistics(counters: LinkCounters): string[] {
  const { receivedBytes, receivedPackets, receivedDropped } = counters;
  const { sentBytes, sentPackets, sentDropped } = counters;
  const received = [receivedBytes, receivedPackets, 0, receivedDropped, 0, 0];
  const sent = [sentBytes, sentPackets, 0, sentDropped, 0, 0];
  const widths = [10, 7, 6, 7, 7, 7].map((width, index) =>
    Math.max(width, String(received[index]).length, String(sent[index]).length),
  );
  const row = (cells: readonly (string | number)[]): string =>
    cells.map((cell, index) => String(cell).padStart(widths[index] ?? 0)).join(' ');
  const titled = (title: string, last: readonly string[]): string =>
    `    ${title}${row(['bytes', 'packets', 'errors', 'dropped', ...last]).slice(title.length)}`;
  return [
    titled('RX:', ['missed', 'mcast']),
    `    ${row(received)}`,
    titled('TX:', ['carrier', 'collsns']),
    `    ${row(sent)}`,
  ];
}

/** All without a device. The tools leave out its name where it was asked for. */
function onDevice<Entry extends { readonly device: string }>(
  entries: Iterable<Entry>,
  device: string | undefined,
): Entry[] {
  return [...entries].filter((entry) => device === undefined || entry.device === device);
}

function byDestination(a: RouteEntry, b: RouteEntry): number {
  const [first, second] = [BigInt(a.destination.base), BigInt(b.destination.base)];
  if (first !== second) return first < second ? -1 : 1;
  return a.destination.prefixLength - b.destination.prefixLength;
}

import { formatCidr, formatIp, type IpFamily } from '../base/ip.ts';
import { firstAddress } from '../ipam/address-range.ts';
import { formatMac } from '../wire/mac.ts';
import type { VxlanConf } from './backend-conf.ts';
import { desiredEntries, vxlanDevice } from './desired-entries.ts';
import type { Lease } from './lease.ts';
import { overlayMtu } from './mtu.ts';
import type { NetConf } from './net-conf.ts';

/** A Linux machine that is to be a node by commands alone. Its lease is among the others' for them to see it. */
export interface JoiningNode {
  readonly lease: Lease;
  /** The interface that has its public address. */
  readonly device: string;
  readonly deviceMtu: number;
}

/**
 * The commands that make a kernel vxlan device a member of the overlay, with one static neighbour, FDB entry and route
 * for each node, as flannel would have them. Bigger frames and partial checksums than others can read are turned off:
 * a kernel leaves them to hardware that is not there (flannel issue 1279).
 */
export function joinCommands(
  joining: JoiningNode,
  conf: NetConf & { readonly backend: VxlanConf },
  leases: readonly Lease[],
): string[] {
  const parts = [joining.lease.ipv4, joining.lease.ipv6];
  const families = parts.flatMap((part) => (part === undefined ? [] : [part.subnet.family]));
  return [
    ...families.flatMap((family) => deviceCommands(joining, conf, family)),
    ...peerCommands(joining, conf, leases),
  ];
}

/** Undoes {@link joinCommands}: the entries go with the device. */
export function leaveCommands(conf: { readonly backend: VxlanConf }, lease: Lease): string[] {
  const { vni } = conf.backend;
  const v4 = lease.ipv4 === undefined ? [] : [`ip link del ${vxlanDevice(vni, 'IPv4')}`];
  const v6 = lease.ipv6 === undefined ? [] : [`ip link del ${vxlanDevice(vni, 'IPv6')}`];
  return [...v4, ...v6];
}

function deviceCommands(
  joining: JoiningNode,
  conf: { readonly backend: VxlanConf },
  family: IpFamily,
): string[] {
  const part = family === 'IPv4' ? joining.lease.ipv4 : joining.lease.ipv6;
  if (part?.vtep === undefined) return [];
  const { vni, port, learning } = conf.backend;
  const name = vxlanDevice(vni, family);
  const mtu = overlayMtu(conf.backend, joining.deviceMtu, family);
  const address = `${formatIp(firstAddress(part.subnet))}/${family === 'IPv4' ? 32 : 128}`;
  return [
    `ip link add ${name} address ${formatMac(part.vtep.mac)} type vxlan id ${vni} local ${formatIp(part.publicIp)} dev ${joining.device} dstport ${port} ${learning ? 'learning' : 'nolearning'}`,
    `ip address add ${address} dev ${name}`,
    `ip link set ${name} mtu ${mtu} up`,
    `ethtool -K ${name} tx-checksum-ip-generic off`,
  ];
}

function peerCommands(joining: JoiningNode, conf: NetConf, leases: readonly Lease[]): string[] {
  const { routes, neighbours, fdb } = desiredEntries(
    { lease: joining.lease, conf, underlayDevice: joining.device, underlayNetworks: [] },
    leases,
  );
  return [
    ...neighbours.map(
      (entry) =>
        `ip neighbour replace ${formatIp(entry.address)} lladdr ${formatMac(entry.mac)} dev ${entry.device} nud permanent`,
    ),
    ...fdb.map(
      (entry) =>
        `bridge fdb replace ${formatMac(entry.mac)} dev ${entry.device} dst ${formatIp(entry.destination)} self permanent`,
    ),
    ...routes.flatMap((route) =>
      route.via === undefined
        ? []
        : [
            `ip route replace ${formatCidr(route.destination)} via ${formatIp(route.via)} dev ${route.device} onlink`,
          ],
    ),
  ];
}

import type { IpFamily } from '../base/ip.ts';
import type { BackendConf } from './backend-conf.ts';

/** Outer IP, UDP, VXLAN, inner Ethernet. flannel takes 50 for IPv6 too, 20 too few. */
const VXLAN_OVERHEAD_BYTES: Readonly<Record<IpFamily, number>> = {
  IPv4: 20 + 8 + 8 + 14,
  IPv6: 40 + 8 + 8 + 14,
};

/**
 * A UDP payload is at most 65,507 bytes in IPv4, and the VXLAN and inner Ethernet headers are in it. One more, which
 * is what loopback's MTU of 65,536 suggests, and exactly the full-sized segments vanish.
 */
const MAX_OVERLAY_MTU = 65_507 - 8 - 14;

/** The largest inner IP packet: what pods and FLANNEL_MTU get. */
export function overlayMtu(
  backend: BackendConf,
  interfaceMtu: number,
  underlay: IpFamily = 'IPv4',
): number {
  if (backend.type === 'host-gw') return interfaceMtu;
  const underlayMtu = backend.mtu ?? interfaceMtu;
  return Math.min(underlayMtu - VXLAN_OVERHEAD_BYTES[underlay], MAX_OVERLAY_MTU);
}

import type { Lifetime } from '../base/lifetime.ts';
import type { DropReason } from '../netstack/drop-log.ts';
import type { NetInterface } from '../netstack/ip/net-interface.ts';
import type { MacAddress } from '../wire/mac.ts';
import { VXLAN_HEADER_BYTES } from '../wire/vxlan.ts';
import type { VxlanConf } from './backend-conf.ts';
import { vxlanDevice } from './desired-entries.ts';
import { LinkShaper } from './link-shaper.ts';
import { overlayMtu } from './mtu.ts';
import { systemDatagramPorts } from './open-datagram-port.ts';
import type { OverlayNodeOptions } from './overlay-options.ts';
import { PodDatagrams } from './pod-datagrams.ts';
import { PodGate } from './pod-gate.ts';
import { StackDriver } from './stack-driver.ts';
import { Vtep } from './vtep.ts';

/** The vxlan device of a node with the stack behind it; absent with host-gw. */
export interface Tunnel {
  readonly device: NetInterface;
  readonly driver: StackDriver;
  readonly vtep: Vtep;
  readonly gate: PodGate;
  readonly datagrams: PodDatagrams;
  readonly shaper: LinkShaper;
}

/** What `lifetime` owns from then on. `pods`: the addresses of this node's pods, as they are at any time. */
export async function openTunnel(
  options: OverlayNodeOptions,
  backend: VxlanConf,
  lifetime: Lifetime,
  mac: MacAddress,
  pods: ReadonlySet<number>,
): Promise<Tunnel> {
  const { clock, publicIp, subnet, dialPod, dialPodDatagrams } = options;
  const { vni, port, learning } = backend;
  /** The frame that the stack looks at, and what it found wrong with it. */
  const arriving: { frame: Uint8Array | undefined; dropped: DropReason | undefined } = {
    frame: undefined,
    dropped: undefined,
  };
  const driver = new StackDriver({
    clock,
    random: options.random.fork('stack'),
    emit: (netInterface, packet) => {
      if (netInterface === device) vtep.send(packet);
    },
    onDrop: (reason, packet, unsent) => {
      if (packet === undefined) return;
      if (packet === arriving.frame) arriving.dropped = reason;
      else if (unsent === device) vtep.showUnsent(reason, packet);
    },
    // Both ends are forwarders: whether to wait for more was the application's choice.
    tcp: { noDelay: true, ...options.tcp },
  });
  const device = driver.stack.addInterface({
    name: vxlanDevice(vni),
    mac,
    mtuBytes: overlayMtu(backend, options.underlayMtu),
    headroomBytes: VXLAN_HEADER_BYTES,
    acceptPartialChecksums: options.acceptPartialChecksums ?? false,
  });
  driver.stack.addAddress(Number(subnet.base));
  const isPod = (address: number): boolean => pods.has(address);
  const gate = new PodGate({ driver, netInterface: device, clock, dialPod, isPod });
  const datagrams = new PodDatagrams({ driver, clock, dialPodDatagrams, isPod });
  const shaper = new LinkShaper({
    clock,
    random: options.random.fork('faults'),
    tunnelPort: port,
  });
  const vtep = await Vtep.open({
    address: publicIp,
    port,
    vni,
    clock,
    openUdp: systemDatagramPorts(options.log),
    learning,
    checkPeers: options.checkPeers ?? false,
    onSent: (packet) => driver.stack.release(packet),
    onFrame: (bytes, from, to) => {
      arriving.frame = bytes;
      arriving.dropped = undefined;
      if (!gate.intercept(bytes, from, to)) {
        datagrams.look(bytes, from, to);
        driver.process(device, bytes, from, to);
      }
      arriving.frame = undefined;
      return arriving.dropped;
    },
  });
  lifetime.own(vtep);
  lifetime.defer(() => driver.end());
  lifetime.defer(() => {
    gate.end();
    datagrams.end();
    shaper.end();
  });
  return { device, driver, vtep, gate, datagrams, shaper };
}

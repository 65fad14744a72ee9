import { connect } from 'node:net';
import type { Pod } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { parseIp } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { NetConf } from '../overlay/net-conf.ts';
import { OverlayNode } from '../overlay/overlay-node.ts';
import { type SubnetEnv, writeSubnetEnv } from '../overlay/subnet-env.ts';
import type { Dialer } from '../proxy/dialer.ts';
import { DatagramSocket } from '../proxy/udp/datagram-socket.ts';
import type { NodeLeases } from './node-leases.ts';
import type { ObjectFeed } from './object-feed.ts';
import type { OverlaySettings } from './overlay-settings.ts';
import type { PodPorts } from './pod-ports.ts';

export interface NodeOverlayOptions extends Omit<OverlaySettings, 'netConf' | 'etcd'> {
  readonly conf: NetConf;
  /** Owned from then on, also where starting fails. */
  readonly leases: NodeLeases;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly pods: ObjectFeed<Pod>;
  readonly name: string;
  /** The node's address, IPv4. */
  readonly address: string;
  readonly podPorts: PodPorts;
  /** Where flannel's /run/flannel/subnet.env is for this node. */
  readonly subnetEnvPath: string;
}

/**
 * One node's flannel: announces its lease on its Node, follows the leases of the others, lets connections in to the
 * pods of this node, and is the way to those of others.
 */
export class NodeOverlay implements Resource {
  readonly overlay: OverlayNode;
  /** To pods of this node through sockets, to others through the overlay. */
  readonly dialer: Dialer;
  readonly #name: string;
  readonly #lifetime: Lifetime;
  /** Addresses of this node's pods, by UID. */
  readonly #podIps = new Map<string, string>();

  private constructor(options: NodeOverlayOptions, overlay: OverlayNode, lifetime: Lifetime) {
    this.#name = options.name;
    this.overlay = overlay;
    this.dialer = overlayDialer(overlay, options.podPorts);
    this.#lifetime = lifetime;
    options.leases.follow((leases) => overlay.setLeases(leases));
    lifetime.defer(
      options.pods.subscribe((current, previous) => this.#followPod(current, previous)),
    );
  }

  /**
   * Resolves once the lease is announced and subnet.env is written. Rejects with the system's error where the VTEP's
   * address and port cannot be had, and as the leases do where they cannot be announced.
   */
  static async start(options: NodeOverlayOptions): Promise<NodeOverlay> {
    const lifetime = new Lifetime(`flannel ${options.name}`);
    try {
      lifetime.own(options.leases);
      const overlay = lifetime.own(await openOverlay(options));
      await options.leases.announce(overlay.lease);
      writeSubnetEnv(options.subnetEnvPath, subnetEnvOf(overlay, options.conf));
      return new NodeOverlay(options, overlay, lifetime);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #followPod(current: Pod | undefined, previous: Pod | undefined): void {
    const uid = (current ?? previous)?.metadata.uid ?? '';
    const before = this.#podIps.get(uid);
    const now = current === undefined ? undefined : this.#addressOf(current);
    if (before === now) return;
    if (before !== undefined) this.overlay.removePod(before);
    if (now === undefined) this.#podIps.delete(uid);
    else {
      this.#podIps.set(uid, now);
      this.overlay.addPod(now);
    }
  }

  /** Undefined for pods of other nodes, without an address of their own, or that have ended. */
  #addressOf({ spec, status }: Pod): string | undefined {
    if (spec.nodeName !== this.#name || spec.hostNetwork === true) return undefined;
    const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    return hasEnded ? undefined : status?.podIP;
  }
}

function openOverlay(options: NodeOverlayOptions): Promise<OverlayNode> {
  const { clock, random, log, name, conf, leases, podPorts } = options;
  const publicIp = parseIp(options.address);
  if (publicIp === undefined) throw new TypeError(`${options.address} is no address`);
  return OverlayNode.open({
    name,
    publicIp,
    subnet: leases.subnet,
    conf,
    underlayNetworks: [options.nodeNetwork],
    underlayMtu: options.underlayMtu,
    acceptPartialChecksums: options.acceptPartialChecksums,
    checkPeers: options.checkPeers,
    vtepMac: leases.vtepMac,
    dialPod: ({ address, port, source }) =>
      connect({
        host: address,
        port: podPorts.dialPort(address, port),
        localAddress: source,
        allowHalfOpen: true,
        noDelay: true,
      }),
    dialPodDatagrams: ({ address, port, source }, receive, refused) =>
      new DatagramSocket(
        { address, port: podPorts.dialPort(address, port) },
        source,
        receive,
        refused,
      ),
    clock,
    random: random.fork('overlay'),
    log,
  });
}

function subnetEnvOf(overlay: OverlayNode, conf: NetConf): SubnetEnv {
  const subnet = overlay.lease.ipv4?.subnet;
  const network = conf.ipv4?.network;
  return {
    ...(subnet === undefined || network === undefined ? {} : { ipv4: { network, subnet } }),
    mtu: overlay.mtu,
    // kube-proxy masquerades what comes from outside; of the rest the pods see the source.
    ipMasq: false,
  };
}

function overlayDialer(overlay: OverlayNode, podPorts: PodPorts): Dialer {
  const isRemote = (address: string): boolean => overlay.reach(address).kind === 'overlay';
  // Routes to other nodes come and go.
  const isLocal = (address: string): boolean => overlay.reach(address).kind === 'local';
  const dial = (address: string, port: number, localAddress: string) => ({
    kind: 'dial' as const,
    address,
    port: podPorts.dialPort(address, port),
    localAddress,
    lasting: isLocal(address) && podPorts.isSettled(address, port),
  });
  return {
    stream: ({ address, port }, sourceAddress) =>
      isRemote(address)
        ? { kind: 'stream', open: () => overlay.connect({ sourceAddress, address, port }) }
        : dial(address, port, sourceAddress),
    datagrams: ({ address, port }, sourceAddress) =>
      isRemote(address)
        ? {
            kind: 'channel',
            open: (receive) =>
              overlay.openChannel({ sourceAddress, address, port }, receive) ?? NOWHERE,
          }
        : dial(address, port, sourceAddress),
  };
}

/** Where datagrams go that nothing can carry. */
const NOWHERE = { send: () => undefined, close: () => undefined };

import { connect } from 'node:net';
import type { Node, Pod } from '../api/types/core.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { PodwireError } from '../base/errors.ts';
import { type Cidr, parseIp } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Client } from '../controlplane/client/client.ts';
import { annotationsOf, leaseOfNode, type NodeView, storedVtep } from '../overlay/kube-leases.ts';
import { type NetConf, parseNetConf } from '../overlay/net-conf.ts';
import { OverlayNode } from '../overlay/overlay-node.ts';
import type { Dialer } from '../proxy/dialer.ts';
import { DatagramSocket } from '../proxy/udp/datagram-socket.ts';
import type { ObjectFeed } from './object-feed.ts';
import type { PodPorts } from './pod-ports.ts';

/** What the nodes of a cluster have in common. */
export interface OverlaySettings {
  /** The text of net-conf.json. */
  readonly netConf: string;
  /** The nodes' own network: what is reached without encapsulation. */
  readonly nodeNetwork: Cidr;
  /** Largest packet between nodes: 65,536 on loopback, 1500 for the usual 1450 inside. */
  readonly underlayMtu: number;
}

export interface NodeOverlayOptions extends OverlaySettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly client: Client;
  readonly nodes: ObjectFeed<Node>;
  readonly pods: ObjectFeed<Pod>;
  readonly name: string;
  /** The node's address, IPv4. */
  readonly address: string;
  readonly podCIDR: Cidr;
  readonly podPorts: PodPorts;
}

/**
 * One node's flannel: announces its lease on its Node, follows the leases of the others, lets connections in to the
 * pods of this node, and is the way to those of others.
 */
export class NodeOverlay implements Resource {
  readonly overlay: OverlayNode;
  /** To pods of this node through sockets, to others through the overlay. */
  readonly dialer: Dialer;
  readonly #options: NodeOverlayOptions;
  readonly #conf: NetConf;
  readonly #lifetime: Lifetime;
  /** Addresses of this node's pods, by UID. */
  readonly #podIps = new Map<string, string>();
  #reconcile: Timer | undefined;

  private constructor(
    options: NodeOverlayOptions,
    conf: NetConf,
    overlay: OverlayNode,
    lifetime: Lifetime,
  ) {
    this.#options = options;
    this.#conf = conf;
    this.overlay = overlay;
    this.dialer = overlayDialer(overlay, options.podPorts);
    this.#lifetime = lifetime;
    lifetime.defer(
      options.nodes.subscribe((current, previous) => {
        if (isSameLease(current, previous)) return;
        this.#reconcile ??= options.clock.defer(() => this.#followLeases());
      }),
    );
    lifetime.defer(() => this.#reconcile?.cancel());
    lifetime.defer(
      options.pods.subscribe((current, previous) => this.#followPod(current, previous)),
    );
  }

  /**
   * Resolves once the lease is announced; the Node must exist. Rejects with code NET_CONF where net-conf.json is
   * refused, with the system's error where the VTEP's address and port cannot be had, and with the API's where the Node
   * cannot be written.
   */
  static async start(options: NodeOverlayOptions): Promise<NodeOverlay> {
    const { clock, random, log, client, nodes, name, podCIDR, podPorts } = options;
    const conf = readNetConf(options.netConf);
    const publicIp = parseIp(options.address);
    if (publicIp === undefined) throw new TypeError(`${options.address} is no address`);
    const lifetime = new Lifetime(`flannel ${name}`);
    try {
      const own = nodes.get(name);
      const overlay = lifetime.own(
        await OverlayNode.open({
          name,
          publicIp,
          subnet: podCIDR,
          conf,
          underlayNetworks: [options.nodeNetwork],
          underlayMtu: options.underlayMtu,
          vtepMac: own === undefined ? undefined : storedVtep(viewOf(own), 'IPv4')?.mac,
          dialPod: ({ address, port, source }) =>
            connect({
              host: address,
              port: podPorts.dialPort(address, port),
              localAddress: source,
              allowHalfOpen: true,
              noDelay: true,
            }),
          dialPodDatagrams: ({ address, port, source }, receive) =>
            new DatagramSocket(
              { address, port: podPorts.dialPort(address, port) },
              source,
              receive,
            ),
          clock,
          random: random.fork('overlay'),
          log,
        }),
      );
      const body = { metadata: { annotations: annotationsOf(overlay.lease) } };
      await client.resource('nodes').patch(name, undefined, { type: 'merge', body });
      return new NodeOverlay(options, conf, overlay, lifetime);
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

  /** All leases, whatever changed. */
  #followLeases(): void {
    this.#reconcile = undefined;
    const { nodes, log } = this.#options;
    const leases = nodes.list().flatMap((node) => {
      const outcome = leaseOfNode(viewOf(node), this.#conf);
      if (outcome.kind === 'refused') log.warn({ reason: outcome.reason }, 'node has no lease');
      return outcome.kind === 'lease' ? [outcome.lease] : [];
    });
    this.overlay.setLeases(leases);
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
    if (spec.nodeName !== this.#options.name || spec.hostNetwork === true) return undefined;
    const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
    return hasEnded ? undefined : status?.podIP;
  }
}

function readNetConf(text: string): NetConf {
  const outcome = parseNetConf(text);
  if (outcome.kind === 'ok') return outcome.conf;
  throw new PodwireError('NET_CONF', `net-conf.json: ${outcome.problems.join('; ')}`);
}

function overlayDialer(overlay: OverlayNode, podPorts: PodPorts): Dialer {
  const isRemote = (address: string): boolean => overlay.reach(address).kind === 'overlay';
  const dial = (address: string, port: number, localAddress: string) => ({
    kind: 'dial' as const,
    address,
    port: podPorts.dialPort(address, port),
    localAddress,
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

function viewOf(node: Node): NodeView {
  return {
    name: node.metadata.name ?? '',
    podCidrs: node.spec?.podCIDRs ?? [],
    annotations: node.metadata.annotations ?? {},
  };
}

/** True for changes, such as heartbeats, that no lease shows. */
function isSameLease(current: Node | undefined, previous: Node | undefined): boolean {
  if (current === undefined || previous === undefined) return false;
  return JSON.stringify(viewOf(current)) === JSON.stringify(viewOf(previous));
}

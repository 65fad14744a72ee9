import type { Node } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { PodwireError } from '../base/errors.ts';
import { type Cidr, formatCidr, formatIp, type IpAddress } from '../base/ip.ts';
import { Lifetime } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { type AcquireOutcome, EtcdLeases, type HeldLease } from '../overlay/etcd-leases.ts';
import type { LeaseKv } from '../overlay/lease-kv.ts';
import type { Lease } from '../overlay/lease.ts';
import type { NetConf } from '../overlay/net-conf.ts';
import { generateVtepMac } from '../overlay/vtep-mac.ts';
import type { MacAddress } from '../wire/mac.ts';
import type { NodeLeases } from './node-leases.ts';
import type { ObjectFeed } from './object-feed.ts';

export interface EtcdNodeLeasesOptions {
  readonly kv: LeaseKv & AsyncDisposable;
  readonly prefix: string;
  readonly conf: NetConf;
  /** IPv4: what a node is known by in etcd. */
  readonly publicIp: IpAddress;
  /** From the subnet.env of the node's earlier life. */
  readonly previous: readonly Cidr[];
  /** Tells names, which etcd does not know, by addresses. */
  readonly nodes: ObjectFeed<Node>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Leases in etcd, in flannel's layout, shared with whatever flannel runs beside. */
export class EtcdNodeLeases implements NodeLeases {
  readonly subnet: Cidr;
  readonly vtepMac: MacAddress | undefined;
  readonly #options: EtcdNodeLeasesOptions;
  readonly #leases: EtcdLeases;
  readonly #lifetime: Lifetime;
  readonly #held: HeldLease;

  private constructor(
    options: EtcdNodeLeasesOptions,
    leases: EtcdLeases,
    lifetime: Lifetime,
    held: HeldLease,
    subnet: Cidr,
  ) {
    this.#options = options;
    this.#leases = leases;
    this.#lifetime = lifetime;
    this.#held = held;
    this.subnet = subnet;
    this.vtepMac = held.lease.ipv4?.vtep?.mac;
  }

  /**
   * Takes the store over. Rejects with code NO_SUBNET where no lease is to be had, and as the store does where it
   * cannot be reached.
   */
  static async open(options: EtcdNodeLeasesOptions): Promise<EtcdNodeLeases> {
    const lifetime = new Lifetime('leases in etcd');
    lifetime.defer(() => options.kv[Symbol.asyncDispose]());
    try {
      const leases = new EtcdLeases(options);
      const outcome = await leases.acquire(requestOf(options));
      const subnet = outcome.kind === 'acquired' ? outcome.held.lease.ipv4?.subnet : undefined;
      if (outcome.kind !== 'acquired' || subnet === undefined) throw refusal(outcome);
      return new EtcdNodeLeases(options, leases, lifetime, outcome.held, subnet);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Acquiring wrote it. */
  async announce(): Promise<void> {}

  /** Renews this node's lease meanwhile; one that another node has taken is told, and the last leases stay. */
  follow(onLeases: (leases: readonly Lease[]) => void): void {
    const ending = new AbortController();
    const renewing = this.#keep(ending.signal);
    const watching = this.#leases.watch(
      (leases) => onLeases(leases.map((lease) => this.#named(lease))),
      ending.signal,
    );
    this.#lifetime.defer(async () => {
      ending.abort();
      await Promise.all([renewing, watching]);
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const end = await this.#leases.keep(this.#held, signal);
    if (end === 'revoked')
      this.#options.log.error(
        { subnet: formatCidr(this.subnet) },
        'the subnet lease has been revoked: other nodes no longer send to the pods of this one; restart it',
      );
  }

  /** By the Node that has the address, where there is one. */
  #named(lease: Lease): Lease {
    const publicIp = lease.ipv4?.publicIp;
    const address = publicIp === undefined ? '' : formatIp(publicIp);
    const node = this.#options.nodes
      .list()
      .find(({ status }) => status?.addresses?.some((each) => each.address === address));
    const name = node?.metadata.name;
    return name === undefined ? lease : { ...lease, node: name };
  }
}

function requestOf({ conf, publicIp, previous, random }: EtcdNodeLeasesOptions) {
  const { backend } = conf;
  const vtep =
    backend.type === 'vxlan'
      ? { vtep: { vni: backend.vni, mac: generateVtepMac(random, backend.macPrefix) } }
      : {};
  return { backendType: backend.type, ipv4: { publicIp, ...vtep }, previous };
}

function refusal(outcome: AcquireOutcome): PodwireError {
  const why =
    outcome.kind === 'exhausted'
      ? `out of subnets in ${formatCidr(outcome.network)}`
      : 'other nodes were faster every time';
  return new PodwireError('NO_SUBNET', `no subnet lease in etcd: ${why}`);
}

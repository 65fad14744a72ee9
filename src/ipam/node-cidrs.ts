import {
  type Cidr,
  cidrOf,
  cidrsOverlap,
  formatCidr,
  type IpAddress,
  type IpFamily,
} from '../base/ip.ts';
import { addressPlus, firstAddress, lastAddress } from './address-range.ts';
import { SparseBitmap } from './sparse-bitmap.ts';

/** One block of the cluster CIDR a node, all of one size (`--cluster-cidr`, `--node-cidr-mask-size`). */
export interface ClusterCidr {
  readonly cidr: Cidr;
  /** 24 for IPv4 and 64 for IPv6 unless given. */
  readonly nodePrefixLength?: number;
}

export type NodeCidrsOutcome =
  /** One block for each cluster CIDR, in their order. */
  | { readonly kind: 'allocated'; readonly cidrs: readonly Cidr[] }
  /** Nothing was taken. Kubernetes reports it as the node Event `CIDRNotAvailable`. */
  | {
      readonly kind: 'exhausted';
      readonly cidr: Cidr;
      readonly used: number;
      readonly total: number;
    };

export type OccupyOutcome =
  | { readonly kind: 'occupied' }
  | { readonly kind: 'outOfRange'; readonly cidr: Cidr }
  | { readonly kind: 'inUse'; readonly cidr: Cidr; readonly holder: string };

const DEFAULT_PREFIX: Record<IpFamily, number> = { IPv4: 24, IPv6: 64 };
const ADDRESS_BITS: Record<IpFamily, number> = { IPv4: 32, IPv6: 128 };

/** kube-controller-manager's limit for IPv6, kept for both families: at most 65,536 nodes a cluster CIDR. */
const MAX_NODE_BITS = 16;

/** What is wrong with a cluster CIDR and its node size, or undefined. Names the remedy. */
export function clusterCidrProblem(config: ClusterCidr): string | undefined {
  const { cidr } = config;
  const nodePrefixLength = prefixLengthOf(config);
  if (nodePrefixLength > ADDRESS_BITS[cidr.family] - 2)
    return `a node CIDR of /${nodePrefixLength} has no room for pods: use /${ADDRESS_BITS[cidr.family] - 2} or larger`;
  if (nodePrefixLength < cidr.prefixLength)
    return `a node CIDR of /${nodePrefixLength} does not fit in ${formatCidr(cidr)}: use /${cidr.prefixLength} or smaller`;
  if (nodePrefixLength - cidr.prefixLength > MAX_NODE_BITS)
    return `node CIDR size is too big: /${nodePrefixLength} in ${formatCidr(cidr)} makes more than 65536 blocks: use /${cidr.prefixLength + MAX_NODE_BITS} or larger`;
  return undefined;
}

/**
 * Gives each node its podCIDRs, as kube-controller-manager's range allocator does (pkg/controller/nodeipam): next
 * fit from a moving cursor, so that a freed block is not reused at once. A node keeps its blocks until
 * {@link release}. After a restart, {@link occupy} what the Nodes carry before allocating.
 */
export class NodeCidrAllocator {
  readonly #pools: readonly BlockPool[];
  readonly #held = new Map<string, readonly Cidr[]>();

  /** One cluster CIDR a family. Throws RangeError where {@link clusterCidrProblem} has something to say. */
  constructor(clusterCidrs: readonly ClusterCidr[]) {
    this.#pools = clusterCidrs.map((config) => new BlockPool(config));
  }

  /** How many blocks are taken and exist, by cluster CIDR. */
  usage(): { cidr: Cidr; used: number; total: number }[] {
    return this.#pools.map((pool) => ({ cidr: pool.cidr, used: pool.used, total: pool.total }));
  }

  cidrsOf(node: string): readonly Cidr[] {
    return this.#held.get(node) ?? [];
  }

  /** The blocks the node has, else new ones: all or none. */
  allocate(node: string): NodeCidrsOutcome {
    const held = this.#held.get(node);
    if (held !== undefined) return { kind: 'allocated', cidrs: held };
    const cidrs: Cidr[] = [];
    for (const pool of this.#pools) {
      const cidr = pool.allocate(node);
      if (cidr === undefined) {
        this.#giveBack(cidrs);
        return { kind: 'exhausted', cidr: pool.cidr, used: pool.used, total: pool.total };
      }
      cidrs.push(cidr);
    }
    this.#held.set(node, cidrs);
    return { kind: 'allocated', cidrs };
  }

  /** Records the podCIDRs of an existing node: all or none. */
  occupy(node: string, cidrs: readonly Cidr[]): OccupyOutcome {
    const added: Cidr[] = [];
    for (const cidr of cidrs) {
      const outcome = this.#occupyOne(node, cidr);
      if (outcome.kind !== 'occupied') {
        this.#giveBack(added);
        return outcome;
      }
      if (!outcome.again) added.push(cidr);
    }
    this.#held.set(node, [...this.cidrsOf(node), ...added]);
    return { kind: 'occupied' };
  }

  /** Never hands out a block that overlaps `cidr`, for example the Service CIDR. Blocks in use stay in use. */
  reserve(cidr: Cidr, why: string): void {
    for (const pool of this.#pools) pool.reserve(cidr, why);
  }

  /** The node's blocks, for others to have; empty when it had none. */
  release(node: string): readonly Cidr[] {
    const cidrs = this.cidrsOf(node);
    this.#giveBack(cidrs);
    this.#held.delete(node);
    return cidrs;
  }

  #occupyOne(
    node: string,
    cidr: Cidr,
  ): { kind: 'occupied'; again: boolean } | Exclude<OccupyOutcome, { kind: 'occupied' }> {
    const pool = this.#poolOf(cidr);
    const index = pool?.indexOf(cidr);
    if (pool === undefined || index === undefined) return { kind: 'outOfRange', cidr };
    const holder = pool.holder(index);
    if (holder === undefined) pool.take(index, node);
    else if (holder !== node) return { kind: 'inUse', cidr, holder };
    return { kind: 'occupied', again: holder !== undefined };
  }

  #giveBack(cidrs: readonly Cidr[]): void {
    for (const cidr of cidrs) {
      const pool = this.#poolOf(cidr);
      const index = pool?.indexOf(cidr);
      if (index !== undefined) pool?.free(index);
    }
  }

  #poolOf(cidr: Cidr): BlockPool | undefined {
    return this.#pools.find((pool) => cidrsOverlap(pool.cidr, cidr));
  }
}

/** The blocks of one cluster CIDR by index. */
class BlockPool {
  readonly cidr: Cidr;
  readonly #nodePrefixLength: number;
  readonly #bitmap: SparseBitmap;
  readonly #holders = new Map<number, string>();
  #cursor = 0;

  constructor(config: ClusterCidr) {
    const problem = clusterCidrProblem(config);
    if (problem !== undefined) throw new RangeError(problem);
    this.cidr = config.cidr;
    this.#nodePrefixLength = prefixLengthOf(config);
    this.#bitmap = new SparseBitmap(2 ** (this.#nodePrefixLength - config.cidr.prefixLength));
  }

  get used(): number {
    return this.#bitmap.used;
  }

  get total(): number {
    return this.#bitmap.size;
  }

  holder(index: number): string | undefined {
    return this.#holders.get(index);
  }

  allocate(node: string): Cidr | undefined {
    const index = this.#bitmap.nextFree(this.#cursor) ?? this.#bitmap.nextFree(0, this.#cursor);
    if (index === undefined) return undefined;
    this.take(index, node);
    this.#cursor = (index + 1) % this.total;
    return cidrOf(addressOfBlock(this.cidr, this.#nodePrefixLength, index), this.#nodePrefixLength);
  }

  take(index: number, holder: string): void {
    if (this.#bitmap.set(index)) this.#holders.set(index, holder);
  }

  free(index: number): void {
    this.#bitmap.clear(index);
    this.#holders.delete(index);
  }

  /** The index of exactly this block; undefined for another size or place. */
  indexOf(cidr: Cidr): number | undefined {
    if (cidr.family !== this.cidr.family || cidr.prefixLength !== this.#nodePrefixLength)
      return undefined;
    const index = this.#indexOfAddress(firstAddress(cidr));
    return index >= 0 && index < this.total ? index : undefined;
  }

  reserve(cidr: Cidr, why: string): void {
    if (!cidrsOverlap(this.cidr, cidr)) return;
    const first = Math.max(this.#indexOfAddress(firstAddress(cidr)), 0);
    const last = Math.min(this.#indexOfAddress(lastAddress(cidr)), this.total - 1);
    for (let index = first; index <= last; index += 1) this.take(index, why);
  }

  #indexOfAddress(address: IpAddress): number {
    const hostBits = BigInt(ADDRESS_BITS[this.cidr.family] - this.#nodePrefixLength);
    return Number((BigInt(address.value) >> hostBits) - (BigInt(this.cidr.base) >> hostBits));
  }
}

function prefixLengthOf(config: ClusterCidr): number {
  return config.nodePrefixLength ?? DEFAULT_PREFIX[config.cidr.family];
}

function addressOfBlock(cidr: Cidr, prefixLength: number, index: number): IpAddress {
  const first = firstAddress(cidr);
  if (first.family === 'IPv4') return addressPlus(first, index * 2 ** (32 - prefixLength));
  return {
    family: 'IPv6',
    value: first.value + (BigInt(index) << BigInt(128 - prefixLength)),
  };
}

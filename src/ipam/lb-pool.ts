import { type Cidr, formatCidr, type IpAddress, type IpFamily } from '../base/ip.ts';
import { AddressRange, firstAddress, lastAddress } from './address-range.ts';
import { SparseBitmap } from './sparse-bitmap.ts';

/** A Service of type LoadBalancer as far as its addresses go. */
export interface LbService {
  /** `namespace/name`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly port: number; readonly protocol: string }[];
  /** One address is wanted for each. */
  readonly families: readonly IpFamily[];
  /** True (RequireDualStack): no address unless every family gets one. */
  readonly requireAllFamilies?: boolean;
  /** Exactly these; at most one a family. */
  readonly requested?: readonly IpAddress[];
  /** Only from this pool. */
  readonly pool?: string | undefined;
  /** Services with the same key may share an address as long as their ports differ. */
  readonly sharingKey?: string | undefined;
  /**
   * Services share only with equal ones: undefined for externalTrafficPolicy Cluster, something that names the
   * backends for Local, because traffic of the address goes to nodes that have the backends of both.
   */
  readonly localBackends?: string | undefined;
  /** Addresses it has by its status; kept where possible, which is how addresses survive a restart. */
  readonly current?: readonly IpAddress[];
}

export type LbBlock =
  | { readonly cidr: Cidr }
  /** Both included. */
  | { readonly first: IpAddress; readonly last: IpAddress };

export interface LbPoolConfig {
  readonly name: string;
  /** Of either family or both. */
  readonly blocks: readonly LbBlock[];
  /** 1 is asked first; 0 or absent last. Equal priorities in the order of the pools. */
  readonly priority?: number;
  /** False: only for Services that name the pool or an address of it. Default true. */
  readonly autoAssign?: boolean;
  /** True drains the pool: what is held stays, nothing new is given. */
  readonly disabled?: boolean;
  /** True keeps IPv4 addresses that end in .0 or .255, which some routers take for broadcasts. */
  readonly avoidBuggyIps?: boolean;
  /** Which Services may have addresses of it. Default: all. */
  readonly selects?: (service: LbService) => boolean;
}

export type LbPoolState =
  | { readonly kind: 'ready' }
  | { readonly kind: 'disabled' }
  /** Shares addresses with an older pool, or with itself: gives nothing new until that ends. */
  | { readonly kind: 'conflict'; readonly withPool: string; readonly range: string };

interface Block {
  readonly range: AddressRange;
  readonly taken: SparseBitmap;
  /** Addresses that are never given. */
  readonly avoided: number;
}

/** The addresses of one pool, and which of them are taken. */
export class LbPool {
  readonly config: LbPoolConfig;
  readonly state: LbPoolState;
  readonly #blocks: readonly Block[];

  /** `older` are the pools that win a conflict. */
  constructor(config: LbPoolConfig, older: readonly LbPool[]) {
    this.config = config;
    this.#blocks = config.blocks.map((block) => blockOf(block, config.avoidBuggyIps === true));
    this.state = this.#conflict(older) ?? { kind: config.disabled === true ? 'disabled' : 'ready' };
  }

  get name(): string {
    return this.config.name;
  }

  get total(): number {
    return this.#blocks.reduce((sum, { range, avoided }) => sum + range.size - avoided, 0);
  }

  get used(): number {
    return this.#blocks.reduce((sum, { taken, avoided }) => sum + taken.used - avoided, 0);
  }

  hasFamily(family: IpFamily): boolean {
    return this.#blocks.some((block) => block.range.family === family);
  }

  contains(address: IpAddress): boolean {
    return this.#blocks.some((block) => block.range.indexOf(address) !== undefined);
  }

  avoids(address: IpAddress): boolean {
    return this.config.avoidBuggyIps === true && isBuggy(address);
  }

  /** The lowest free address of the first block that has one. */
  nextFree(family: IpFamily): IpAddress | undefined {
    for (const { range, taken } of this.#blocks) {
      const index = range.family === family ? taken.nextFree(0) : undefined;
      if (index !== undefined) return range.at(index);
    }
    return undefined;
  }

  /** No effect on addresses of others. */
  mark(address: IpAddress, taken: boolean): void {
    if (this.avoids(address)) return;
    for (const block of this.#blocks) {
      const index = block.range.indexOf(address);
      if (index === undefined) continue;
      if (taken) block.taken.set(index);
      else block.taken.clear(index);
    }
  }

  #conflict(older: readonly LbPool[]): LbPoolState | undefined {
    for (const [index, { range }] of this.#blocks.entries()) {
      const own = this.#blocks.slice(index + 1).some((other) => range.overlaps(other.range));
      const other = own ? this : older.find((pool) => pool.#overlaps(range));
      if (other !== undefined)
        return { kind: 'conflict', withPool: other.name, range: textOf(this.config.blocks[index]) };
    }
    return undefined;
  }

  #overlaps(range: AddressRange): boolean {
    return (
      this.state.kind !== 'conflict' && this.#blocks.some((block) => block.range.overlaps(range))
    );
  }
}

function blockOf(block: LbBlock, avoidBuggyIps: boolean): Block {
  const range =
    'cidr' in block
      ? new AddressRange(firstAddress(block.cidr), lastAddress(block.cidr))
      : new AddressRange(block.first, block.last);
  const taken = new SparseBitmap(range.size);
  if (avoidBuggyIps && range.first.family === 'IPv4') {
    const low = range.first.value % 256;
    for (let index = (256 - low) % 256; index < range.size; index += 256) taken.set(index);
    for (let index = 255 - low; index < range.size; index += 256) taken.set(index);
  }
  return { range, taken, avoided: taken.used };
}

/** MetalLB's avoidBuggyIPs. */
function isBuggy(address: IpAddress): boolean {
  return address.family === 'IPv4' && (address.value % 256 === 0 || address.value % 256 === 255);
}

function textOf(block: LbBlock | undefined): string {
  if (block === undefined) return '';
  return 'cidr' in block
    ? formatCidr(block.cidr)
    : new AddressRange(block.first, block.last).toString();
}

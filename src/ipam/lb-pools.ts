import { formatIp, type IpAddress, type IpFamily } from '../base/ip.ts';
import { LbAddressUses, type SharingRefusal } from './lb-address-uses.ts';
import { LbPool, type LbPoolConfig, type LbPoolState, type LbService } from './lb-pool.ts';

/** Why a Service has no address, or none from one of the pools. */
export type LbRefusal =
  | SharingRefusal
  | { readonly kind: 'noPool'; readonly family: IpFamily }
  | { readonly kind: 'unknownPool'; readonly pool: string }
  | { readonly kind: 'unusable'; readonly pool: string; readonly state: LbPoolState }
  | { readonly kind: 'notSelected'; readonly pool: string }
  /** The pool has autoAssign false. */
  | { readonly kind: 'onRequestOnly'; readonly pool: string }
  | {
      readonly kind: 'exhausted';
      readonly pool: string;
      readonly used: number;
      readonly total: number;
    }
  | { readonly kind: 'notInPools'; readonly address: IpAddress }
  /** The pool has avoidBuggyIps. */
  | { readonly kind: 'avoided'; readonly address: IpAddress; readonly pool: string };

export type LbOutcome =
  /** `refusals`: about families that got none, where the Service can do without. */
  | {
      readonly kind: 'assigned';
      readonly addresses: readonly { readonly address: IpAddress; readonly pool: string }[];
      readonly refusals: readonly LbRefusal[];
    }
  /** The Service has no address. One refusal for each pool that was asked, so that all reasons are seen. */
  | { readonly kind: 'pending'; readonly refusals: readonly LbRefusal[] };

export interface LbPoolStatus {
  readonly name: string;
  readonly state: LbPoolState;
  readonly used: number;
  readonly total: number;
}

type Pick =
  | { readonly kind: 'picked'; readonly address: IpAddress; readonly pool: string }
  | { readonly kind: 'refused'; readonly refusals: readonly LbRefusal[] };

/**
 * Addresses for Services of type LoadBalancer from several pools. Level-triggered: {@link assign} any number of
 * times with what the Service wants now; it keeps what it can. After a restart, assign the Services that have
 * addresses in their status first. Modelled on MetalLB's and Cilium's allocators.
 */
export class LbPoolAllocator {
  readonly #uses = new LbAddressUses();
  /** Oldest first. */
  #pools: readonly LbPool[] = [];

  constructor(pools: readonly LbPoolConfig[] = []) {
    this.setPools(pools);
  }

  /**
   * Oldest first: of two that overlap, the later is in conflict. Addresses that no pool has any more are released;
   * returns the Services that lost one, to be assigned again.
   */
  setPools(configs: readonly LbPoolConfig[]): readonly string[] {
    const pools: LbPool[] = [];
    for (const config of configs) pools.push(new LbPool(config, pools));
    this.#pools = pools;
    const lost = new Set<string>();
    for (const address of this.#uses.addresses()) {
      if (this.#poolOf(address) === undefined)
        for (const holder of this.#uses.holdersOf(address)) lost.add(holder);
    }
    for (const name of lost) this.#uses.release(name);
    for (const address of this.#uses.addresses()) this.#mark(address, true);
    return [...lost];
  }

  status(): LbPoolStatus[] {
    return this.#pools.map(({ name, state, used, total }) => ({ name, state, used, total }));
  }

  addressesOf(service: string): readonly IpAddress[] {
    return this.#uses.addressesOf(service);
  }

  /** Who uses an address. */
  holdersOf(address: IpAddress): string[] {
    return this.#uses.holdersOf(address);
  }

  /** Gives the Service its addresses; a pending one has none afterwards. */
  assign(service: LbService): LbOutcome {
    const outcome = this.explain(service);
    const addresses =
      outcome.kind === 'assigned' ? outcome.addresses.map(({ address }) => address) : [];
    for (const freed of this.#uses.replace(service, addresses)) this.#mark(freed, false);
    for (const address of addresses) this.#mark(address, true);
    return outcome;
  }

  /** What {@link assign} would answer now; changes nothing. */
  explain(service: LbService): LbOutcome {
    const picks = service.families.map((family) => this.#pick(service, family));
    const addresses = picks.flatMap((pick) => (pick.kind === 'picked' ? [pick] : []));
    const refusals = [
      ...this.#unmetRequests(service),
      ...picks.flatMap((pick) => (pick.kind === 'refused' ? pick.refusals : [])),
    ];
    const enough =
      service.requireAllFamilies === true
        ? addresses.length === service.families.length
        : addresses.length > 0;
    if (!enough) return { kind: 'pending', refusals };
    return {
      kind: 'assigned',
      addresses: addresses.map(({ address, pool }) => ({ address, pool })),
      refusals,
    };
  }

  /** Returns what it had; empty when it had none. */
  release(service: string): readonly IpAddress[] {
    const held = this.#uses.addressesOf(service);
    for (const freed of this.#uses.release(service)) this.#mark(freed, false);
    return held;
  }

  #pick(service: LbService, family: IpFamily): Pick {
    const requested = service.requested?.find((address) => address.family === family);
    if (requested !== undefined) return this.#pickRequested(service, requested);
    return this.#pickHeld(service, family) ?? this.#pickNew(service, family);
  }

  /** A second requested address of a family, or one of a family the Service does not have. */
  #unmetRequests(service: LbService): LbRefusal[] {
    const requested = service.requested ?? [];
    return requested
      .filter(
        (address) =>
          !service.families.includes(address.family) ||
          requested.find((other) => other.family === address.family) !== address,
      )
      .map((address) => ({ kind: 'notInPools', address }));
  }

  #pickRequested(service: LbService, address: IpAddress): Pick {
    const pool = this.#poolOf(address);
    if (pool === undefined || (service.pool ?? pool.name) !== pool.name)
      return refuse({ kind: 'notInPools', address });
    if (pool.avoids(address)) return refuse({ kind: 'avoided', address, pool: pool.name });
    const refusal =
      this.#poolRefusal(pool, service, { address }) ?? this.#uses.refusal(address, service);
    return refusal === undefined ? picked(address, pool) : refuse(refusal);
  }

  /** What the Service has, while its pool serves it: a disabled or conflicting pool keeps its Services. */
  #pickHeld(service: LbService, family: IpFamily): Pick | undefined {
    const held = [...this.#uses.addressesOf(service.name), ...(service.current ?? [])];
    for (const address of held) {
      const pool = address.family === family ? this.#poolOf(address) : undefined;
      if (pool === undefined || (service.pool ?? pool.name) !== pool.name) continue;
      if (pool.avoids(address) || pool.config.selects?.(service) === false) continue;
      if (this.#uses.refusal(address, service) === undefined) return picked(address, pool);
    }
    return undefined;
  }

  #pickNew(service: LbService, family: IpFamily): Pick {
    const candidates = this.#pools.filter(
      (pool) => pool.hasFamily(family) && (service.pool ?? pool.name) === pool.name,
    );
    if (candidates.length === 0)
      return refuse(
        service.pool === undefined || this.#pools.some((pool) => pool.name === service.pool)
          ? { kind: 'noPool', family }
          : { kind: 'unknownPool', pool: service.pool },
      );
    const refusals: LbRefusal[] = [];
    for (const pool of candidates.toSorted(byPriority)) {
      const refusal = this.#poolRefusal(pool, service, {});
      const address =
        refusal === undefined
          ? (this.#sharedIn(pool, service, family) ?? pool.nextFree(family))
          : undefined;
      if (address !== undefined) return picked(address, pool);
      const { name, used, total } = pool;
      refusals.push(refusal ?? { kind: 'exhausted', pool: name, used, total });
    }
    return { kind: 'refused', refusals };
  }

  #sharedIn(pool: LbPool, service: LbService, family: IpFamily): IpAddress | undefined {
    if (service.sharingKey === undefined) return undefined;
    return this.#uses
      .sharedUnder(service.sharingKey)
      .find(
        (address) =>
          address.family === family &&
          pool.contains(address) &&
          this.#uses.refusal(address, service) === undefined,
      );
  }

  /** Why the pool gives this Service nothing, whatever is free in it. */
  #poolRefusal(
    pool: LbPool,
    service: LbService,
    request: { address?: IpAddress },
  ): LbRefusal | undefined {
    const { address } = request;
    const holds = address !== undefined && this.#holds(service, address);
    if (pool.state.kind !== 'ready' && !holds)
      return { kind: 'unusable', pool: pool.name, state: pool.state };
    if (pool.config.selects?.(service) === false) return { kind: 'notSelected', pool: pool.name };
    const isNamed = address !== undefined || service.pool === pool.name;
    if (pool.config.autoAssign === false && !isNamed)
      return { kind: 'onRequestOnly', pool: pool.name };
    return undefined;
  }

  #holds(service: LbService, address: IpAddress): boolean {
    const held = [...this.#uses.addressesOf(service.name), ...(service.current ?? [])];
    return held.some((each) => each.value === address.value);
  }

  /** The pool that wins where several have the address. */
  #poolOf(address: IpAddress): LbPool | undefined {
    const having = this.#pools.filter((pool) => pool.contains(address));
    return having.find((pool) => pool.state.kind !== 'conflict') ?? having[0];
  }

  #mark(address: IpAddress, taken: boolean): void {
    for (const pool of this.#pools) pool.mark(address, taken);
  }
}

/** One reason for people, for the Service's Event. */
export function describeLbRefusal(refusal: LbRefusal): string {
  switch (refusal.kind) {
    case 'noPool':
      return `no address pool has ${refusal.family} addresses`;
    case 'unknownPool':
      return `there is no address pool "${refusal.pool}"`;
    case 'unusable':
      return refusal.state.kind === 'conflict'
        ? `pool "${refusal.pool}" is not used: ${refusal.state.range} overlaps pool "${refusal.state.withPool}"`
        : `pool "${refusal.pool}" is ${refusal.state.kind}`;
    case 'notSelected':
      return `pool "${refusal.pool}" does not select this Service`;
    case 'onRequestOnly':
      return `pool "${refusal.pool}" serves only Services that ask for it`;
    case 'exhausted':
      return `pool "${refusal.pool}" is full: ${refusal.used} of ${refusal.total} addresses in use`;
    case 'notInPools':
      return `requested address ${formatIp(refusal.address)} is in no pool that this Service may use`;
    case 'avoided':
      return `requested address ${formatIp(refusal.address)} is kept back by pool "${refusal.pool}" (avoidBuggyIps)`;
    case 'inUse':
      return `address ${formatIp(refusal.address)} is in use by ${refusal.holder}`;
    case 'sharingKeyDiffers':
      return `address ${formatIp(refusal.address)} is in use by ${refusal.holder} with another sharing key`;
    case 'portClash':
      return `address ${formatIp(refusal.address)} is shared with ${refusal.holder}, which has port ${refusal.port}/${refusal.protocol} too`;
    case 'localBackendsDiffer':
      return `address ${formatIp(refusal.address)} is shared with ${refusal.holder}, which has another externalTrafficPolicy or other backends`;
  }
}

function byPriority(a: LbPool, b: LbPool): number {
  const last = Number.MAX_SAFE_INTEGER;
  return (a.config.priority || last) - (b.config.priority || last);
}

function picked(address: IpAddress, pool: LbPool): Pick {
  return { kind: 'picked', address, pool: pool.name };
}

function refuse(...refusals: LbRefusal[]): Pick {
  return { kind: 'refused', refusals };
}

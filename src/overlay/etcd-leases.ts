import { type Clock, sleep } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import { type Cidr, formatIp, type IpAddress } from '../base/ip.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { formatLeaseKey, formatLeaseValue, parseEtcdLease } from './etcd-lease-codec.ts';
import type { KvEntry, LeaseKv } from './lease-kv.ts';
import { LEASE_FAMILIES, type Lease, type LeasePart, type LeaseSource } from './lease.ts';
import type { NetConf } from './net-conf.ts';
import { chooseSubnet, fitsConf } from './subnet-choice.ts';
import { SubnetOwners } from './subnet-owners.ts';

/** What a node asks a lease for: everything of one but the subnets. */
export interface LeaseRequest {
  readonly backendType: string;
  readonly ipv4?: Omit<LeasePart, 'subnet'>;
  readonly ipv6?: Omit<LeasePart, 'subnet'>;
  /** The subnets it had before by its subnet.env: had again if nobody has them. */
  readonly previous?: readonly Cidr[];
}

/** A lease that this node holds. */
export interface HeldLease {
  readonly lease: Lease;
  readonly key: string;
  /** The revision it was written at: a later writer has the lease. */
  readonly revision: number;
  /** On the clock's `now` scale; undefined for a reservation, which never expires. */
  readonly expiresAt: number | undefined;
}

export type AcquireOutcome =
  | { readonly kind: 'acquired'; readonly held: HeldLease }
  | { readonly kind: 'exhausted'; readonly network: Cidr }
  /** Other nodes were faster every time. */
  | { readonly kind: 'contended'; readonly rounds: number };

export interface EtcdLeasesOptions {
  readonly kv: LeaseKv;
  /** flannel's `--etcd-prefix`; default `/coreos.com/network`. */
  readonly prefix?: string;
  readonly conf: NetConf;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** How long before its end a lease is renewed; flannel's `--subnet-lease-renew-margin`, 60 minutes. */
  readonly renewMarginMs?: number;
}

const LEASE_MS = 24 * 3_600_000;
const RENEW_MARGIN_MS = 60 * 60_000;
const RENEW_RETRY_MS = 60_000;
const MAX_ROUNDS = 10;
const WATCH_RETRY = { firstMs: 100, maxMs: 5000 } as const;

/**
 * Subnet leases as keys in etcd, in flannel's layout, so that its nodes and podwire's share one network. A node is
 * known by its public address. Better than flannel in three ways: a lost race is retried, a reservation (a key without
 * TTL) stays one, and every write names the revision it replaces, so that two nodes never believe to hold one subnet.
 */
export class EtcdLeases implements LeaseSource {
  readonly #options: EtcdLeasesOptions;
  readonly #prefix: string;
  readonly #marginMs: number;

  constructor(options: EtcdLeasesOptions) {
    this.#options = options;
    this.#prefix = `${options.prefix ?? '/coreos.com/network'}/subnets/`;
    this.#marginMs = options.renewMarginMs ?? RENEW_MARGIN_MS;
  }

  /** Takes the lease of this node: the one it has, the one it had, or a free one. Rejects as the store does. */
  async acquire(request: LeaseRequest): Promise<AcquireOutcome> {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const outcome = await this.#acquireOnce(request);
      if (outcome !== 'retry') return outcome;
    }
    return { kind: 'contended', rounds: MAX_ROUNDS };
  }

  /**
   * Renews the lease in time until the signal aborts. Resolves with `revoked` when it is gone or another node's: the
   * node must give up its subnet. While the store fails, it tries again every minute.
   */
  async keep(held: HeldLease, signal: AbortSignal): Promise<'aborted' | 'revoked'> {
    let current = held;
    while (!signal.aborted) {
      try {
        await this.#waitUntilDueOrChanged(current, signal);
        if (signal.aborted) break;
        const renewed = await this.#renew(current);
        if (renewed === 'revoked') return 'revoked';
        current = renewed;
      } catch (error) {
        this.#warn(error, 'could not renew the subnet lease');
        await this.#pause(RENEW_RETRY_MS, signal);
      }
    }
    return 'aborted';
  }

  async watch(onLeases: (leases: readonly Lease[]) => void, signal: AbortSignal): Promise<void> {
    let retryMs: number = WATCH_RETRY.firstMs;
    while (!signal.aborted) {
      try {
        await this.#watchOnce(onLeases, signal, () => {
          retryMs = WATCH_RETRY.firstMs;
        });
      } catch (error) {
        this.#warn(error, 'could not watch the subnet leases');
        await this.#pause(retryMs, signal);
        retryMs = Math.min(2 * retryMs, WATCH_RETRY.maxMs);
      }
    }
  }

  async #acquireOnce(request: LeaseRequest): Promise<AcquireOutcome | 'retry'> {
    const { entries } = await this.#options.kv.list(this.#prefix);
    const leases = this.#parse(entries);
    const own = leases.find(({ lease }) => isSamePublicIp(lease, request));
    if (own !== undefined && !this.#fits(own.lease, request)) {
      await this.#options.kv.remove(own.entry.key, own.entry.modRevision);
      return 'retry';
    }
    const subnets = own === undefined ? this.#choose(request, leases) : subnetsOf(own.lease);
    if (!Array.isArray(subnets)) return subnets;
    return this.#write(leaseFrom(request, subnets), own?.entry);
  }

  #choose(
    request: LeaseRequest,
    leases: readonly { readonly lease: Lease }[],
  ): Cidr[] | AcquireOutcome {
    const taken = new SubnetOwners();
    for (const { lease } of leases)
      for (const subnet of subnetsOf(lease)) taken.add({ owner: lease.node, subnet });
    const chosen: Cidr[] = [];
    for (const { key } of LEASE_FAMILIES) {
      const conf = this.#options.conf[key];
      if (conf === undefined || request[key] === undefined) continue;
      const previous = request.previous?.find(
        (subnet) => fitsConf(subnet, conf) && taken.overlapping(subnet) === undefined,
      );
      const subnet = previous ?? chooseSubnet(conf, taken, this.#options.random);
      if (subnet === undefined) return { kind: 'exhausted', network: conf.network };
      chosen.push(subnet);
    }
    return chosen;
  }

  async #write(lease: Lease, own: KvEntry | undefined): Promise<AcquireOutcome | 'retry'> {
    const key = own?.key ?? this.#prefix + formatLeaseKey(subnetsOf(lease));
    const hasTtl = own?.hasTtl ?? true;
    const { clock, kv } = this.#options;
    const askedAt = clock.now();
    const outcome = await kv.write(key, formatLeaseValue(lease), {
      expected: own?.modRevision ?? 0,
      ttlSeconds: hasTtl ? LEASE_MS / 1000 : undefined,
    });
    if (outcome.kind === 'conflict') return 'retry';
    const expiresAt = hasTtl ? askedAt + LEASE_MS : undefined;
    return { kind: 'acquired', held: { lease, key, revision: outcome.revision, expiresAt } };
  }

  async #renew(held: HeldLease): Promise<HeldLease | 'revoked'> {
    const { entries } = await this.#options.kv.list(held.key);
    const entry = entries.find(({ key }) => key === held.key);
    const stored =
      entry === undefined
        ? undefined
        : parseEtcdLease(held.key.slice(this.#prefix.length), entry.value);
    if (entry === undefined || stored === undefined || !isSamePublicIp(stored, held.lease))
      return 'revoked';
    const outcome = await this.#write(held.lease, entry);
    // Lost a race: look again at once; the key's new revision starts the next wait.
    if (outcome === 'retry') return { ...held, revision: entry.modRevision };
    return outcome.kind === 'acquired' ? outcome.held : 'revoked';
  }

  /** Until the lease is to be renewed or somebody else writes its key. */
  async #waitUntilDueOrChanged(held: HeldLease, signal: AbortSignal): Promise<void> {
    const { clock, kv } = this.#options;
    const done = new AbortController();
    const end = (): void => done.abort();
    const dueInMs =
      held.expiresAt === undefined ? undefined : held.expiresAt - this.#marginMs - clock.now();
    const timer = dueInMs === undefined ? undefined : clock.setTimer(dueInMs, end);
    signal.addEventListener('abort', end, { once: true });
    try {
      await kv.watch(held.key, { after: held.revision, signal: done.signal, onEvents: end });
    } finally {
      timer?.cancel();
      signal.removeEventListener('abort', end);
    }
  }

  async #watchOnce(
    onLeases: (leases: readonly Lease[]) => void,
    signal: AbortSignal,
    onConnected: () => void,
  ): Promise<void> {
    const { entries, revision } = await this.#options.kv.list(this.#prefix);
    onConnected();
    const current = new Map(entries.map((entry) => [entry.key, entry]));
    const publish = (): void =>
      onLeases(this.#parse([...current.values()]).map(({ lease }) => lease));
    publish();
    await this.#options.kv.watch(this.#prefix, {
      after: revision,
      signal,
      onEvents: (events) => {
        for (const event of events) {
          if (event.type === 'put') current.set(event.entry.key, event.entry);
          else current.delete(event.key);
        }
        publish();
      },
    });
  }

  #parse(entries: readonly KvEntry[]): { readonly entry: KvEntry; readonly lease: Lease }[] {
    return entries.flatMap((entry) => {
      const lease = parseEtcdLease(entry.key.slice(this.#prefix.length), entry.value);
      if (lease !== undefined) return [{ entry, lease }];
      this.#options.log.warn({ key: entry.key }, 'ignoring a subnet lease that cannot be read');
      return [];
    });
  }

  #fits(lease: Lease, request: LeaseRequest): boolean {
    return LEASE_FAMILIES.every(({ key }) => {
      const conf = request[key] === undefined ? undefined : this.#options.conf[key];
      const part = lease[key];
      if (conf === undefined) return part === undefined;
      return part !== undefined && fitsConf(part.subnet, conf);
    });
  }

  #warn(error: unknown, what: string): void {
    this.#options.log.warn({ reason: errorMessage(error) }, what);
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await sleep(this.#options.clock, delayMs, signal);
    } catch {
      // Aborted: the caller's loop sees the signal.
    }
  }
}

function subnetsOf(lease: Lease): Cidr[] {
  return LEASE_FAMILIES.flatMap(({ key }) => lease[key]?.subnet ?? []);
}

function leaseFrom(request: LeaseRequest, subnets: readonly Cidr[]): Lease {
  const parts: { ipv4?: LeasePart; ipv6?: LeasePart } = {};
  for (const { key, family } of LEASE_FAMILIES) {
    const subnet = subnets.find((each) => each.family === family);
    const part = request[key];
    if (subnet !== undefined && part !== undefined) parts[key] = { ...part, subnet };
  }
  return { node: nodeName(request), backendType: request.backendType, ...parts };
}

function nodeName(request: LeaseRequest): string {
  const part = request.ipv4 ?? request.ipv6;
  return part === undefined ? '' : formatIp(part.publicIp);
}

/** flannel's identity of a node. */
function isSamePublicIp(lease: Lease, other: LeaseRequest | Lease): boolean {
  const of = (one: LeaseRequest | Lease): IpAddress | undefined => (one.ipv4 ?? one.ipv6)?.publicIp;
  return of(lease)?.value === of(other)?.value;
}

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIp } from '../../src/base/ip.ts';
import {
  describePodIpRefusal,
  HostLocalAllocator,
  type PodIpOutcome,
} from '../../src/ipam/host-local.ts';
import { type LeaseStore, MemoryLeaseStore } from '../../src/ipam/lease-store.ts';
import { parseRangeSets, type RangeConfig, type RangeSet } from '../../src/ipam/range-set.ts';
import { cidr, ip } from './addresses.ts';

function setsOf(...configs: readonly RangeConfig[][]): RangeSet[] {
  const parsed = parseRangeSets(configs);
  if (parsed.kind === 'invalid') throw new Error(parsed.problems.join('; '));
  return parsed.sets;
}

const range = (subnet: string, start?: string, end?: string): RangeConfig => ({
  subnet: cidr(subnet),
  ...(start === undefined ? {} : { rangeStart: ip(start) }),
  ...(end === undefined ? {} : { rangeEnd: ip(end) }),
});

function allocatorOf(
  sets: readonly RangeSet[],
  store: LeaseStore = new MemoryLeaseStore(),
): HostLocalAllocator {
  return new HostLocalAllocator({ sets, store });
}

const pod = (name: string) => ({ containerId: name, ifName: 'eth0' });

function textOf(outcome: PodIpOutcome): string {
  return outcome.kind === 'allocated'
    ? outcome.addresses.map((each) => `${formatIp(each.address)}/${each.prefixLength}`).join(' ')
    : describePodIpRefusal(outcome);
}

describe('HostLocalAllocator', () => {
  test('starts after the gateway, which it reports', () => {
    const allocator = allocatorOf(setsOf([range('10.244.1.0/24')]));
    const outcome = allocator.allocate(pod('a'));
    expect(textOf(outcome)).toBe('10.244.1.2/24');
    expect(outcome.kind === 'allocated' && outcome.addresses[0]?.gateway).toEqual(ip('10.244.1.1'));
    expect(allocator.usage()).toMatchObject([{ used: 1, total: 253 }]);
  });

  test('round robin: a released address is the last to come back', () => {
    const allocator = allocatorOf(setsOf([range('10.0.0.0/29')]));
    for (const name of ['a', 'b']) allocator.allocate(pod(name));
    allocator.release(pod('a'));
    const next = ['c', 'd', 'e', 'f'].map((name) => textOf(allocator.allocate(pod(name))));
    expect(next).toEqual(['10.0.0.4/29', '10.0.0.5/29', '10.0.0.6/29', '10.0.0.2/29']);
  });

  test('goes on after the last reserved address when it starts again', () => {
    const store = new MemoryLeaseStore();
    const sets = setsOf([range('10.0.0.0/24')]);
    const before = allocatorOf(sets, store);
    for (const name of ['a', 'b']) before.allocate(pod(name));
    before.release(pod('b'));
    const after = allocatorOf(sets, store);
    expect(after.leases().map((lease) => lease.owner)).toEqual([pod('a')]);
    expect(textOf(after.allocate(pod('c')))).toBe('10.0.0.4/24');
  });

  test('crosses the ranges of a set and wraps', () => {
    const allocator = allocatorOf(
      setsOf([range('10.0.0.0/24', '10.0.0.254', '10.0.0.254'), range('10.0.1.0/30')]),
    );
    const got = ['a', 'b', 'c'].map((name) => textOf(allocator.allocate(pod(name))));
    expect(got.slice(0, 2)).toEqual(['10.0.0.254/24', '10.0.1.2/30']);
    expect(got[2]).toBe(
      'failed to allocate for range 0: no IP addresses available in range set: ' +
        '10.0.0.254-10.0.0.254,10.0.1.1-10.0.1.2 (2 of 2 in use, longest held by a/eth0, b/eth0)',
    );
  });

  test('network and broadcast addresses are handed out when a range names them', () => {
    const allocator = allocatorOf(setsOf([range('10.0.0.0/30', '10.0.0.0', '10.0.0.3')]));
    const got = ['a', 'b', 'c'].map((name) => textOf(allocator.allocate(pod(name))));
    expect(got).toEqual(['10.0.0.0/30', '10.0.0.2/30', '10.0.0.3/30']);
  });

  test('dual stack: one address a set, all or none', () => {
    const allocator = allocatorOf(setsOf([range('10.0.0.0/30')], [range('fd00::/64')]));
    expect(textOf(allocator.allocate(pod('a')))).toBe('10.0.0.2/30 fd00::2/64');
    expect(allocator.allocate(pod('b'))).toMatchObject({ kind: 'exhausted', setIndex: 0 });
    expect(allocator.usage().map((each) => each.used)).toEqual([1, 1]);
  });

  test('a set that is full gives back what the others gave', () => {
    const allocator = allocatorOf(setsOf([range('10.0.0.0/24')], [range('10.1.0.0/30')]));
    allocator.allocate(pod('a'));
    expect(allocator.allocate(pod('b'))).toMatchObject({ kind: 'exhausted', setIndex: 1 });
    expect(allocator.usage().map((each) => each.used)).toEqual([1, 1]);
  });

  test('requested addresses', () => {
    const allocator = allocatorOf(setsOf([range('10.0.0.0/24')], [range('10.1.0.0/24')]));
    const request = (name: string, ...wanted: string[]) =>
      textOf(allocator.allocate(pod(name), wanted.map(ip)));
    expect(request('a', '10.1.0.9', '10.0.0.9')).toBe('10.0.0.9/24 10.1.0.9/24');
    expect(request('b', '10.0.0.9')).toBe(
      'requested IP address 10.0.0.9 is not available: held by a/eth0',
    );
    expect(request('b', '10.0.0.1')).toBe("requested ip 10.0.0.1 is subnet's gateway");
    expect(request('b', '10.0.0.7', '10.0.0.8', '10.9.0.1')).toBe(
      'failed to allocate all requested IPs: 10.0.0.8, 10.9.0.1',
    );
    expect(allocator.usage().map((each) => each.used)).toEqual([1, 1]);
    expect(textOf(allocator.allocate(pod('b')))).toBe('10.0.0.10/24 10.1.0.10/24');
  });

  test('a second ADD for the same owner is refused', () => {
    const allocator = allocatorOf(setsOf([range('10.0.0.0/24')]));
    allocator.allocate(pod('a'));
    expect(textOf(allocator.allocate(pod('a')))).toBe(
      'duplicate allocation is not allowed: a/eth0 holds 10.0.0.2',
    );
    expect(textOf(allocator.allocate({ containerId: 'a', ifName: 'eth1' }))).toBe('10.0.0.3/24');
  });

  test('releasing twice gives nothing the second time', () => {
    const allocator = allocatorOf(setsOf([range('10.0.0.0/24')]));
    allocator.allocate(pod('a'));
    expect(allocator.release(pod('a'))).toHaveLength(1);
    expect(allocator.release(pod('a'))).toEqual([]);
  });

  test('gc releases what no live owner holds', () => {
    const allocator = allocatorOf(setsOf([range('10.0.0.0/24')]));
    for (const name of ['a', 'b', 'c']) allocator.allocate(pod(name));
    expect(allocator.gc([pod('b')]).map((lease) => lease.owner.containerId)).toEqual(['a', 'c']);
    expect(allocator.leases().map((lease) => lease.owner.containerId)).toEqual(['b']);
  });

  test('what another process took in the store is stepped over', () => {
    const store = new MemoryLeaseStore();
    const allocator = allocatorOf(setsOf([range('10.0.0.0/29')]), store);
    store.reserve({ address: ip('10.0.0.2'), owner: pod('other') });
    store.reserve({ address: ip('10.0.0.6'), owner: pod('other') });
    expect(textOf(allocator.allocate(pod('a')))).toBe('10.0.0.3/29');
    expect(textOf(allocator.allocate(pod('b'), [ip('10.0.0.6')]))).toBe(
      'requested IP address 10.0.0.6 is not available: held by another process',
    );
    expect(allocator.usage()).toMatchObject([{ used: 3, total: 5 }]);
  });

  test('leases outside the configured ranges are known and can be released', () => {
    const store = new MemoryLeaseStore();
    allocatorOf(setsOf([range('10.9.0.0/24')]), store).allocate(pod('old'));
    const allocator = allocatorOf(setsOf([range('10.0.0.0/24')]), store);
    expect(allocator.usage()).toMatchObject([{ used: 0 }]);
    expect(allocator.gc([])).toHaveLength(1);
    expect(store.load().leases).toEqual([]);
  });

  test('agrees with a naive model under any sequence of operations', () => {
    const operation = fc.tuple(
      fc.constantFrom<'allocate' | 'request' | 'release' | 'restart' | 'gc'>(
        'allocate',
        'allocate',
        'request',
        'release',
        'restart',
        'gc',
      ),
      fc.integer({ min: 0, max: 19 }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
        const sets = setsOf([range('10.0.0.0/29'), range('10.0.0.8/29', '10.0.0.8', '10.0.0.11')]);
        const store = new MemoryLeaseStore();
        const podNames = Array.from({ length: 14 }, (_, number) => `pod-${number}`);
        let allocator = allocatorOf(sets, store);
        const model = new ModelHostLocal(
          [1, 2, 3, 4, 5, 6, 8, 9, 10, 11].map((low) => `10.0.0.${low}`),
          ['10.0.0.1', '10.0.0.9'],
        );
        for (const [kind, number] of operations) {
          const name = `pod-${number % 14}`;
          const [got, expected] = {
            allocate: () => [addressOrKind(allocator.allocate(pod(name))), model.allocate(name)],
            request: () => {
              const wanted = `10.0.0.${number}`;
              const outcome = allocator.allocate(pod(name), [ip(wanted)]);
              return [addressOrKind(outcome), model.request(name, wanted)];
            },
            release: () => [allocator.release(pod(name)).length, model.release([name])],
            gc: () => {
              const live = podNames.filter((each) => each !== name && each !== 'pod-0');
              return [allocator.gc(live.map(pod)).length, model.release([name, 'pod-0'])];
            },
            restart: () => {
              allocator = allocatorOf(sets, store);
              return [0, 0];
            },
          }[kind]();
          expect(got).toBe(expected);
          const leases = allocator.leases();
          const held = leases.map((lease): [string, string] => [
            formatIp(lease.address),
            lease.owner.containerId,
          ]);
          expect(new Map(held)).toEqual(model.owners);
          expect(store.load().leases.length).toBe(leases.length);
        }
      }),
    );
  });
});

function addressOrKind(outcome: PodIpOutcome): string {
  if (outcome.kind !== 'allocated') return outcome.kind;
  return outcome.addresses.map((each) => formatIp(each.address)).join();
}

/** The addresses of one set in a list; walks it one by one. */
class ModelHostLocal {
  readonly owners = new Map<string, string>();
  readonly #addresses: readonly string[];
  readonly #gateways: readonly string[];
  #last = -1;

  constructor(addresses: readonly string[], gateways: readonly string[]) {
    this.#addresses = addresses;
    this.#gateways = gateways;
  }

  allocate(name: string): string {
    if ([...this.owners.values()].includes(name)) return 'duplicate';
    const count = this.#addresses.length;
    for (let step = 1; step <= count; step += 1) {
      const index = (this.#last + step) % count;
      const address = this.#addresses[index] ?? '';
      if (this.owners.has(address) || this.#gateways.includes(address)) continue;
      this.#last = index;
      this.owners.set(address, name);
      return address;
    }
    return 'exhausted';
  }

  request(name: string, address: string): string {
    if (!this.#addresses.includes(address)) return 'notInRange';
    if (this.#gateways.includes(address)) return 'isGateway';
    if (this.owners.has(address)) return 'inUse';
    this.#last = this.#addresses.indexOf(address);
    this.owners.set(address, name);
    return address;
  }

  release(names: readonly string[]): number {
    const dead = [...this.owners].filter(([, owner]) => names.includes(owner));
    for (const [address] of dead) this.owners.delete(address);
    return dead.length;
  }
}

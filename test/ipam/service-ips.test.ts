import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIp, type IpAddress } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import { AllocationTransaction } from '../../src/ipam/allocation-transaction.ts';
import {
  describeServiceIpRefusal,
  ServiceIpAllocator,
  type ServiceIpOutcome,
} from '../../src/ipam/service-ips.ts';
import { cidr, ip } from './addresses.ts';

function allocatorOf(block: string, seed = 'services'): ServiceIpAllocator {
  return new ServiceIpAllocator({ cidr: cidr(block), random: seededRandom(seed) });
}

function addressOf(outcome: ServiceIpOutcome): string {
  return outcome.kind === 'allocated' ? formatIp(outcome.address) : outcome.kind;
}

describe('ServiceIpAllocator', () => {
  // The KEP's own examples, and the ends of its rule.
  test.each([
    ['10.96.0.0/12', 256, 1_048_574],
    ['10.96.0.0/20', 256, 4094],
    ['10.96.0.0/22', 64, 1022],
    ['10.96.0.0/24', 16, 254],
    ['10.96.0.0/27', 16, 30],
    ['10.96.0.0/28', 0, 14],
    ['10.96.0.0/31', 0, 0],
    ['10.96.0.0/32', 0, 0],
    ['fd00:96::/112', 256, 65_535],
    ['fd00:96::/64', 256, 2 ** 48],
  ])('%s has a static band of %i and %i addresses', (block, band, total) => {
    const allocator = allocatorOf(block);
    expect([allocator.bandSize, allocator.total]).toEqual([band, total]);
  });

  test('the first usable address is there for default/kubernetes', () => {
    expect(formatIp(allocatorOf('127.96.0.0/16').first ?? ip('::'))).toBe('127.96.0.1');
    expect(allocatorOf('10.96.0.0/31').first).toBeUndefined();
  });

  test('hands out the upper part before the band, and every address once', () => {
    const allocator = allocatorOf('10.96.0.0/27');
    const upper = Array.from({ length: 14 }, () => addressOf(allocator.allocate('a/b')));
    expect(new Set(upper).size).toBe(14);
    expect(upper.every((text) => Number(text.split('.')[3]) > 16)).toBe(true);
    const band = Array.from({ length: 16 }, () => addressOf(allocator.allocate('a/b')));
    expect(band.toSorted()).toEqual(
      Array.from({ length: 16 }, (_, index) => `10.96.0.${index + 1}`).toSorted(),
    );
    const refused = allocator.allocate('a/b');
    expect(refused).toMatchObject({ kind: 'exhausted', total: 30 });
    expect(refused.kind !== 'allocated' && describeServiceIpRefusal(refused)).toBe(
      'range is full: all 30 addresses of 10.96.0.0/27 are allocated',
    );
  });

  test.each([
    ['10.96.0.5', 'allocated'],
    ['10.96.0.200', 'allocated'],
    ['10.96.0.10', 'inUse'],
    ['10.96.0.0', 'outOfRange'],
    ['10.96.0.255', 'outOfRange'],
    ['10.97.0.1', 'outOfRange'],
    ['fd00::1', 'outOfRange'],
  ])('asked for %s: %s', (text, kind) => {
    const allocator = allocatorOf('10.96.0.0/24');
    allocator.claim(ip('10.96.0.10'), 'kube-system/kube-dns');
    expect(allocator.claim(ip(text), 'default/web').kind).toBe(kind);
  });

  test('refusals name the holder and the range', () => {
    const allocator = allocatorOf('10.96.0.0/24');
    allocator.claim(ip('10.96.0.10'), 'kube-system/kube-dns');
    const texts = ['10.96.0.10', '10.0.0.1'].map((text) => {
      const outcome = allocator.claim(ip(text), 'default/web');
      return outcome.kind === 'allocated' ? '' : describeServiceIpRefusal(outcome);
    });
    expect(texts).toEqual([
      'provided IP is already allocated (to kube-system/kube-dns)',
      'the provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/24',
    ]);
  });

  test('releasing twice, or for another, is an outcome and changes nothing', () => {
    const allocator = allocatorOf('10.96.0.0/24');
    const address = ip('10.96.0.10');
    allocator.claim(address, 'a/b');
    expect(allocator.release(address, 'x/y')).toEqual({ kind: 'notHeld', holder: 'a/b' });
    expect(allocator.release(address, 'a/b')).toEqual({ kind: 'released' });
    expect(allocator.release(address, 'a/b')).toEqual({ kind: 'notHeld', holder: undefined });
    expect(allocator.release(ip('10.0.0.1'), 'a/b').kind).toBe('notHeld');
    expect(allocator.used).toBe(0);
  });

  test('a seed decides the addresses', () => {
    const draw = (seed: string) => addressOf(allocatorOf('10.96.0.0/12', seed).allocate('a/b'));
    expect(draw('one')).toBe(draw('one'));
    expect(draw('one')).not.toBe(draw('two'));
  });

  test('agrees with a naive model under any sequence of operations', () => {
    const operation = fc.tuple(
      fc.constantFrom<keyof ModelServiceIps['steps']>('allocate', 'claim', 'release', 'rollback'),
      fc.integer({ min: 0, max: 63 }),
      fc.constantFrom('a/a', 'a/b', 'b/a'),
    );
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom(26, 27, 28, 30),
        fc.array(operation, { maxLength: 120 }),
        (seed, prefixLength, operations) => {
          const allocator = allocatorOf(`10.96.0.0/${prefixLength}`, seed);
          const model = new ModelServiceIps(allocator, 2 ** (32 - prefixLength) - 2);
          for (const [kind, low, holder] of operations) {
            const [got, expected] = model.steps[kind](low, holder);
            expect(got).toBe(expected);
            expect(allocator.used).toBe(model.holders.size);
          }
          const held = allocator
            .allocations()
            .map((each): [number, string] => [lowOf(each.address), each.holder]);
          expect(new Map(held)).toEqual(model.holders);
        },
      ),
    );
  });
});

function lowOf(address: IpAddress): number {
  return Number(address.value) & 0xff;
}

/** Last octets in a Map. Each step acts on the allocator and says what it did and what it should have done. */
class ModelServiceIps {
  readonly holders = new Map<number, string>();
  readonly #allocator: ServiceIpAllocator;
  readonly #total: number;

  constructor(allocator: ServiceIpAllocator, total: number) {
    this.#allocator = allocator;
    this.#total = total;
  }

  readonly steps = {
    allocate: (_low: number, holder: string): [string, string] => {
      const band = this.#allocator.bandSize;
      const free = Array.from({ length: this.#total }, (_, index) => index + 1).filter(
        (low) => !this.holders.has(low),
      );
      const upperOnly = free.some((low) => low > band);
      const outcome = this.#allocator.allocate(holder);
      if (outcome.kind !== 'allocated')
        return [outcome.kind, free.length === 0 ? outcome.kind : ''];
      const low = lowOf(outcome.address);
      const isRight = free.includes(low) && (!upperOnly || low > band);
      this.holders.set(low, holder);
      return [outcome.kind, isRight ? outcome.kind : `not ${low}`];
    },
    claim: (low: number, holder: string): [string, string] => {
      const got = this.#allocator.claim(ip(`10.96.0.${low}`), holder).kind;
      if (low < 1 || low > this.#total) return [got, 'outOfRange'];
      if (this.holders.has(low)) return [got, 'inUse'];
      this.holders.set(low, holder);
      return [got, 'allocated'];
    },
    release: (low: number, holder: string): [string, string] => {
      const held = this.holders.get(low) === holder && this.holders.delete(low);
      const got = this.#allocator.release(ip(`10.96.0.${low}`), holder).kind;
      return [got, held ? 'released' : 'notHeld'];
    },
    rollback: (low: number, holder: string): [string, string] => {
      const transaction = new AllocationTransaction();
      this.#allocator.allocate(holder, transaction);
      this.#allocator.claim(ip(`10.96.0.${low}`), holder, transaction);
      this.#allocator.release(ip(`10.96.0.${low}`), holder, transaction);
      transaction.rollback();
      return ['', ''];
    },
  };
}

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIp } from '../../src/base/ip.ts';
import type { LbPoolConfig, LbService } from '../../src/ipam/lb-pool.ts';
import { describeLbRefusal, LbPoolAllocator, type LbOutcome } from '../../src/ipam/lb-pools.ts';
import { cidr, ip } from './addresses.ts';

const pool = (name: string, block: string, more: Partial<LbPoolConfig> = {}): LbPoolConfig => ({
  name,
  blocks: block.split(' ').map((text) => {
    const [first = '', last = ''] = text.split('-');
    return text.includes('/') ? { cidr: cidr(text) } : { first: ip(first), last: ip(last) };
  }),
  ...more,
});

const service = (name: string, more: Partial<LbService> = {}): LbService => ({
  name: `default/${name}`,
  labels: {},
  ports: [{ port: 80, protocol: 'TCP' }],
  families: ['IPv4'],
  ...more,
});

const tcp = (port: number) => ({ ports: [{ port, protocol: 'TCP' }] });

/** `address@pool …`, or the reasons. */
function textOf(outcome: LbOutcome): string {
  return outcome.kind === 'assigned'
    ? outcome.addresses.map((each) => `${formatIp(each.address)}@${each.pool}`).join(' ')
    : outcome.refusals.map(describeLbRefusal).join('; ');
}

function assigner(...pools: LbPoolConfig[]) {
  const allocator = new LbPoolAllocator(pools);
  const assign = (name: string, more?: Partial<LbService>) =>
    textOf(allocator.assign(service(name, more)));
  return { allocator, assign };
}

describe('LbPoolAllocator', () => {
  test('CIDRs and ranges, lowest first, one address a Service', () => {
    const { assign } = assigner(pool('a', '192.0.2.8/31 192.0.2.20-192.0.2.21'));
    expect(['w', 'x', 'y', 'z'].map((name) => assign(name))).toEqual([
      '192.0.2.8@a',
      '192.0.2.9@a',
      '192.0.2.20@a',
      '192.0.2.21@a',
    ]);
    expect(assign('x')).toBe('192.0.2.9@a');
    expect(assign('late')).toBe('pool "a" is full: 4 of 4 addresses in use');
  });

  test('a released address comes back; a second release gives nothing', () => {
    const { allocator, assign } = assigner(pool('a', '192.0.2.8/32'));
    assign('x');
    expect(allocator.release('default/x').map(formatIp)).toEqual(['192.0.2.8']);
    expect(allocator.release('default/x')).toEqual([]);
    expect(assign('y')).toBe('192.0.2.8@a');
  });

  test('priority: 1 first, 0 and none last', () => {
    const { assign } = assigner(
      pool('none', '192.0.2.0/32'),
      pool('zero', '192.0.2.1/32', { priority: 0 }),
      pool('two', '192.0.2.2/32', { priority: 2 }),
      pool('one', '192.0.2.3/32', { priority: 1 }),
    );
    expect(['a', 'b', 'c', 'd'].map((name) => assign(name).split('@')[1])).toEqual([
      'one',
      'two',
      'none',
      'zero',
    ]);
  });

  test('every pool that was asked says why not', () => {
    const { assign } = assigner(
      pool('full', '192.0.2.0/32'),
      pool('other', '192.0.2.1/32', { selects: (each) => each.labels['tier'] === 'web' }),
      pool('named', '192.0.2.2/32', { autoAssign: false }),
      pool('off', '192.0.2.3/32', { disabled: true }),
      pool('twice', '192.0.2.0-192.0.2.9'),
      pool('six', 'fd00::/126'),
    );
    assign('first');
    expect(assign('second').split('; ')).toEqual([
      'pool "full" is full: 1 of 1 addresses in use',
      'pool "other" does not select this Service',
      'pool "named" serves only Services that ask for it',
      'pool "off" is disabled',
      'pool "twice" is not used: 192.0.2.0-192.0.2.9 overlaps pool "full"',
    ]);
    expect(assign('web', { labels: { tier: 'web' } })).toBe('192.0.2.1@other');
    expect(assign('asks', { pool: 'named' })).toBe('192.0.2.2@named');
    expect(assign('lost', { pool: 'nowhere' })).toBe('there is no address pool "nowhere"');
    expect(assign('wrong', { pool: 'six' })).toBe('no address pool has IPv4 addresses');
  });

  test('a requested address', () => {
    const { assign } = assigner(
      pool('a', '192.0.2.0/24', { avoidBuggyIps: true }),
      pool('b', '198.51.100.0/24', { autoAssign: false }),
    );
    const request = (name: string, text: string, more: Partial<LbService> = {}) =>
      assign(name, { requested: [ip(text)], ...more });
    expect(request('x', '192.0.2.77')).toBe('192.0.2.77@a');
    expect(request('x', '198.51.100.7')).toBe('198.51.100.7@b');
    expect(request('y', '198.51.100.7')).toBe('address 198.51.100.7 is in use by default/x');
    expect(request('y', '192.0.2.255')).toBe(
      'requested address 192.0.2.255 is kept back by pool "a" (avoidBuggyIps)',
    );
    expect(request('y', '203.0.113.1')).toMatch(/^requested address 203.0.113.1 is in no pool/);
    expect(request('y', '192.0.2.9', { pool: 'b' })).toMatch(/is in no pool that this Service/);
    expect(request('y', 'fd00::1')).toMatch(/^192\.0\.2\.1@a$/);
  });

  test('avoidBuggyIps leaves out .0 and .255, and the counters know', () => {
    const { allocator, assign } = assigner(
      pool('a', '192.0.2.254-192.0.4.1', { avoidBuggyIps: true }),
    );
    expect(allocator.status()).toMatchObject([{ used: 0, total: 256 }]);
    expect(['w', 'x'].map((name) => assign(name))).toEqual(['192.0.2.254@a', '192.0.3.1@a']);
    expect(allocator.status()).toMatchObject([{ used: 2, total: 256 }]);
  });

  describe('a sharing key', () => {
    test('puts Services with different ports on one address', () => {
      const { allocator, assign } = assigner(pool('a', '192.0.2.0/24'));
      const sharingKey = 'k';
      expect(assign('x', { sharingKey, ...tcp(80) })).toBe('192.0.2.0@a');
      expect(assign('y', { sharingKey, ...tcp(443) })).toBe('192.0.2.0@a');
      expect(assign('z', { sharingKey, ...tcp(443) })).toBe('192.0.2.1@a');
      expect(assign('w', { sharingKey, ports: [{ port: 80, protocol: 'UDP' }] })).toBe(
        '192.0.2.0@a',
      );
      expect(allocator.status()).toMatchObject([{ used: 2 }]);
      expect(allocator.holdersOf(ip('192.0.2.0'))).toEqual(['default/x', 'default/y', 'default/w']);
      allocator.release('default/x');
      expect(assign('v', { sharingKey, ...tcp(80) })).toBe('192.0.2.0@a');
    });

    test.each([
      [{}, 'address 192.0.2.5 is in use by default/x'],
      [{ sharingKey: 'other' }, 'is in use by default/x with another sharing key'],
      [{ sharingKey: 'k' }, 'is shared with default/x, which has port 80/TCP too'],
      [
        { sharingKey: 'k', ...tcp(81), localBackends: 'app=y' },
        'which has another externalTrafficPolicy or other backends',
      ],
    ])('%j is refused a shared address: %s', (more, reason) => {
      const { assign } = assigner(pool('a', '192.0.2.0/24'));
      const requested = [ip('192.0.2.5')];
      assign('x', { requested, sharingKey: 'k' });
      expect(assign('y', { requested, ...more })).toContain(reason);
    });

    test('a Service whose ports come to clash moves to another address', () => {
      const { assign } = assigner(pool('a', '192.0.2.0/24'));
      assign('x', { sharingKey: 'k', ...tcp(80) });
      assign('y', { sharingKey: 'k', ...tcp(443) });
      expect(assign('y', { sharingKey: 'k', ...tcp(80) })).toBe('192.0.2.1@a');
    });
  });

  describe('two families', () => {
    const both: Partial<LbService> = { families: ['IPv4', 'IPv6'] };

    test('come from one pool or two', () => {
      const { assign } = assigner(pool('four', '192.0.2.0/24'), pool('six', 'fd00::10/126'));
      expect(assign('x', both)).toBe('192.0.2.0@four fd00::10@six');
    });

    test('one is enough unless both are required', () => {
      const { allocator, assign } = assigner(pool('four', '192.0.2.0/24'));
      expect(assign('x', both)).toBe('192.0.2.0@four');
      expect(assign('y', { ...both, requireAllFamilies: true })).toBe(
        'no address pool has IPv6 addresses',
      );
      expect(allocator.status()).toMatchObject([{ used: 1 }]);
    });
  });

  describe('when pools change', () => {
    test('a drained pool keeps its Services and takes no more', () => {
      const { allocator, assign } = assigner(pool('a', '192.0.2.0/24'));
      assign('x');
      allocator.setPools([pool('a', '192.0.2.0/24', { disabled: true })]);
      expect(assign('x')).toBe('192.0.2.0@a');
      expect(assign('y')).toBe('pool "a" is disabled');
      expect(allocator.status()).toEqual([
        { name: 'a', state: { kind: 'disabled' }, used: 1, total: 256 },
      ]);
    });

    test('Services of addresses that are gone are named', () => {
      const { allocator, assign } = assigner(pool('a', '192.0.2.0/31'));
      for (const name of ['x', 'y']) assign(name);
      expect(allocator.setPools([pool('a', '192.0.2.1/32')])).toEqual(['default/x']);
      expect(allocator.addressesOf('default/x')).toEqual([]);
      expect(allocator.status()).toMatchObject([{ used: 1, total: 1 }]);
    });

    test('a conflict is a status that ends with its cause', () => {
      const { allocator, assign } = assigner(pool('a', '192.0.2.0/30'), pool('b', '192.0.2.2/31'));
      expect(allocator.status()[1]?.state).toEqual({
        kind: 'conflict',
        withPool: 'a',
        range: '192.0.2.2/31',
      });
      expect(assign('x', { pool: 'b' })).toMatch(/^pool "b" is not used/);
      allocator.setPools([pool('b', '192.0.2.2/31')]);
      expect(assign('x', { pool: 'b' })).toBe('192.0.2.2@b');
    });

    test('blocks of one pool that overlap are a conflict of the pool with itself', () => {
      const { allocator } = assigner(pool('a', '192.0.2.0/24 192.0.2.7/32'));
      expect(allocator.status()[0]?.state).toMatchObject({ kind: 'conflict', withPool: 'a' });
    });
  });

  test('after a restart, addresses of the status are kept even in a drained pool', () => {
    const { assign } = assigner(pool('a', '192.0.2.0/24', { disabled: true }));
    expect(assign('x', { current: [ip('192.0.2.9')] })).toBe('192.0.2.9@a');
    expect(assign('y', { current: [ip('192.0.2.9')] })).toBe('pool "a" is disabled');
  });

  test('explain answers as assign would and changes nothing', () => {
    const { allocator } = assigner(pool('a', '192.0.2.0/24'));
    expect(textOf(allocator.explain(service('x')))).toBe('192.0.2.0@a');
    expect(allocator.status()).toMatchObject([{ used: 0 }]);
  });

  test('the lowest shared address is taken, also when it came to be shared last', () => {
    const { allocator } = assigner(pool('a', '192.0.2.0/30'));
    const assign = (name: string, sharingKey: string | undefined, port: number) =>
      lowsOf(allocator.assign(service(name, { sharingKey, ...tcp(port) })));
    expect(assign('x', undefined, 80)).toEqual([0]);
    expect(assign('y', 'l', 80)).toEqual([1]);
    expect(assign('x', 'l', 80)).toEqual([0]);
    expect(assign('z', 'l', 81)).toEqual([0]);
  });

  test('agrees with a naive model under any sequence of operations', () => {
    const operation = fc.record({
      kind: fc.constantFrom<'assign' | 'release'>('assign', 'assign', 'release'),
      name: fc.integer({ min: 0, max: 11 }),
      port: fc.integer({ min: 80, max: 82 }),
      sharingKey: fc.constantFrom(undefined, 'k', 'l'),
      request: fc.option(fc.integer({ min: 0, max: 11 })),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const { allocator } = assigner(pool('a', '192.0.2.0/30'), pool('b', '192.0.2.5-192.0.2.8'));
        const model = new ModelLbPools([0, 1, 2, 3, 5, 6, 7, 8]);
        for (const { kind, name, port, sharingKey, request } of operations) {
          const wanted = service(String(name), { sharingKey, ...tcp(port) });
          const requested = request === null ? [] : [ip(`192.0.2.${request}`)];
          const got =
            kind === 'assign'
              ? lowsOf(allocator.assign({ ...wanted, requested }))
              : allocator.release(wanted.name).map((each) => Number(each.value) % 256);
          const held = model.heldBy(name);
          const expected =
            kind === 'assign'
              ? model.assign({ name, port, sharingKey }, request ?? undefined)
              : model.release(name);
          expect([got, held.length < 2]).toEqual([expected, true]);
          expect(allocator.status().reduce((sum, each) => sum + each.used, 0)).toBe(model.used);
        }
      }),
    );
  });
});

function lowsOf(outcome: LbOutcome): number[] {
  return outcome.kind === 'assigned'
    ? outcome.addresses.map((each) => Number(each.address.value) % 256)
    : [];
}

interface ModelUse {
  readonly name: number;
  readonly port: number;
  readonly sharingKey: string | undefined;
}

/** A list of uses; tries every address in turn. */
class ModelLbPools {
  readonly #lows: readonly number[];
  #uses: (ModelUse & { low: number })[] = [];

  constructor(lows: readonly number[]) {
    this.#lows = lows;
  }

  get used(): number {
    return new Set(this.#uses.map((use) => use.low)).size;
  }

  heldBy(name: number): number[] {
    return this.#uses.filter((use) => use.name === name).map((use) => use.low);
  }

  release(name: number): number[] {
    const held = this.heldBy(name);
    this.#uses = this.#uses.filter((use) => use.name !== name);
    return held;
  }

  assign(wanted: ModelUse, request: number | undefined): number[] {
    const [held] = this.heldBy(wanted.name);
    const fits = (low: number): boolean =>
      this.#lows.includes(low) &&
      this.#uses.every(
        (use) =>
          use.low !== low ||
          use.name === wanted.name ||
          (use.sharingKey !== undefined &&
            use.sharingKey === wanted.sharingKey &&
            use.port !== wanted.port),
      );
    const candidates =
      request === undefined
        ? [...(held === undefined ? [] : [held]), ...this.#poolOrder(wanted)]
        : [request];
    const low = candidates.find(fits);
    this.#uses = this.#uses.filter((use) => use.name !== wanted.name);
    if (low !== undefined) this.#uses.push({ ...wanted, low });
    return low === undefined ? [] : [low];
  }

  /** By pool: the addresses of the sharing key, then the free ones, each lowest first. */
  #poolOrder(wanted: ModelUse): number[] {
    const isFree = (low: number): boolean => this.#uses.every((use) => use.low !== low);
    const isShared = (low: number): boolean =>
      wanted.sharingKey !== undefined &&
      this.#uses.some((use) => use.low === low && use.sharingKey === wanted.sharingKey);
    const pools = [this.#lows.filter((low) => low < 4), this.#lows.filter((low) => low > 4)];
    return pools.flatMap((lows) => [...lows.filter(isShared), ...lows.filter(isFree)]);
  }
}

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatCidr } from '../../src/base/ip.ts';
import {
  clusterCidrProblem,
  NodeCidrAllocator,
  type NodeCidrsOutcome,
} from '../../src/ipam/node-cidrs.ts';
import { cidr } from './addresses.ts';

function textOf(outcome: NodeCidrsOutcome): string {
  return outcome.kind === 'allocated'
    ? outcome.cidrs.map(formatCidr).join(',')
    : `${outcome.used} of ${outcome.total} in ${formatCidr(outcome.cidr)}`;
}

describe('NodeCidrAllocator', () => {
  test('a /24 a node, in order', () => {
    const allocator = new NodeCidrAllocator([{ cidr: cidr('127.244.0.0/16') }]);
    expect(['a', 'b', 'c'].map((node) => textOf(allocator.allocate(node)))).toEqual([
      '127.244.0.0/24',
      '127.244.1.0/24',
      '127.244.2.0/24',
    ]);
  });

  test('a node that asks again keeps its block', () => {
    const allocator = new NodeCidrAllocator([{ cidr: cidr('10.244.0.0/16') }]);
    expect(allocator.allocate('a')).toEqual(allocator.allocate('a'));
    expect(allocator.usage()).toMatchObject([{ used: 1, total: 256 }]);
  });

  test('next fit: a freed block is the last to be reused', () => {
    const allocator = new NodeCidrAllocator([{ cidr: cidr('10.0.0.0/8'), nodePrefixLength: 10 }]);
    for (const node of ['a', 'b']) allocator.allocate(node);
    expect(allocator.release('a').map(formatCidr)).toEqual(['10.0.0.0/10']);
    expect(['c', 'd', 'e'].map((node) => textOf(allocator.allocate(node)))).toEqual([
      '10.128.0.0/10',
      '10.192.0.0/10',
      '10.0.0.0/10',
    ]);
    expect(textOf(allocator.allocate('f'))).toBe('4 of 4 in 10.0.0.0/8');
    expect(allocator.release('f')).toEqual([]);
  });

  test('dual stack: both families or neither', () => {
    const allocator = new NodeCidrAllocator([
      { cidr: cidr('10.244.0.0/16') },
      { cidr: cidr('fd00:10:244::/63') },
    ]);
    expect(textOf(allocator.allocate('a'))).toBe('10.244.0.0/24,fd00:10:244::/64');
    expect(textOf(allocator.allocate('b'))).toBe('10.244.1.0/24,fd00:10:244:1::/64');
    expect(textOf(allocator.allocate('c'))).toBe('2 of 2 in fd00:10:244::/63');
    expect(allocator.usage()[0]).toMatchObject({ used: 2 });
  });

  test('occupies what existing nodes carry', () => {
    const allocator = new NodeCidrAllocator([{ cidr: cidr('10.244.0.0/16') }]);
    const occupy = (node: string, text: string) => allocator.occupy(node, [cidr(text)]).kind;
    expect(occupy('a', '10.244.0.0/24')).toBe('occupied');
    expect(occupy('a', '10.244.0.0/24')).toBe('occupied');
    expect(occupy('b', '10.244.0.0/24')).toBe('inUse');
    expect(occupy('b', '10.245.0.0/24')).toBe('outOfRange');
    expect(occupy('b', '10.244.4.0/25')).toBe('outOfRange');
    expect(textOf(allocator.allocate('c'))).toBe('10.244.1.0/24');
    expect(allocator.cidrsOf('a').map(formatCidr)).toEqual(['10.244.0.0/24']);
  });

  test('a refused occupy takes nothing', () => {
    const allocator = new NodeCidrAllocator([{ cidr: cidr('10.244.0.0/16') }]);
    allocator.occupy('a', [cidr('10.244.7.0/24'), cidr('10.9.0.0/24')]);
    expect(allocator.usage()).toMatchObject([{ used: 0 }]);
  });

  test.each([
    ['10.244.2.0/23', '10.244.0.0/24,10.244.1.0/24,10.244.4.0/24'],
    ['10.244.1.128/25', '10.244.0.0/24,10.244.2.0/24,10.244.3.0/24'],
    ['10.0.0.0/8', 'full,full,full'],
    ['192.0.2.0/24', '10.244.0.0/24,10.244.1.0/24,10.244.2.0/24'],
  ])('never hands out what overlaps %s', (reserved, expected) => {
    const allocator = new NodeCidrAllocator([{ cidr: cidr('10.244.0.0/16') }]);
    allocator.reserve(cidr(reserved), 'Service CIDR');
    const got = ['a', 'b', 'c'].map((node) => {
      const outcome = allocator.allocate(node);
      return outcome.kind === 'allocated' ? textOf(outcome) : 'full';
    });
    expect(got.join(',')).toBe(expected);
  });

  test.each([
    ['10.244.0.0/16', 24, undefined],
    ['10.244.0.0/24', 24, undefined],
    ['10.244.0.0/16', 15, 'does not fit'],
    ['10.244.0.0/16', 31, 'no room for pods'],
    ['10.0.0.0/8', 25, 'size is too big'],
    ['fd00::/47', 64, 'size is too big'],
    ['fd00::/48', 64, undefined],
  ])('%s in blocks of /%i: %s', (text, nodePrefixLength, problem) => {
    const config = { cidr: cidr(text), nodePrefixLength };
    const make = () => new NodeCidrAllocator([config]).usage().length;
    const found = clusterCidrProblem(config);
    expect(found ?? '').toContain(problem ?? '');
    expect(found === undefined).toBe(problem === undefined);
    expect(errorOf(make)).toBe(found);
  });

  test('agrees with a naive model under any sequence of operations', () => {
    const operation = fc.tuple(
      fc.constantFrom<'allocate' | 'release' | 'occupy'>(
        'allocate',
        'allocate',
        'release',
        'occupy',
      ),
      fc.integer({ min: 0, max: 11 }),
      fc.integer({ min: 0, max: 8 }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        const allocator = new NodeCidrAllocator([
          { cidr: cidr('10.244.0.0/21'), nodePrefixLength: 24 },
        ]);
        const model = new ModelNodeCidrs(8);
        for (const [kind, number, block] of operations) {
          const node = `node-${number}`;
          const [got, expected] = {
            allocate: () => [blocksOf(allocator.allocate(node)), model.allocate(node)],
            release: () => [allocator.release(node).map(formatCidr), model.release(node)],
            occupy: () => [
              allocator.occupy(node, [cidr(blockText(block))]).kind,
              model.occupy(node, block),
            ],
          }[kind]();
          expect(got).toEqual(expected);
          expect(allocator.usage()[0]?.used).toBe(model.owners.size);
        }
      }),
    );
  });
});

function errorOf(make: () => unknown): string | undefined {
  try {
    make();
    return undefined;
  } catch (error) {
    return error instanceof RangeError ? error.message : 'another error';
  }
}

function blocksOf(outcome: NodeCidrsOutcome): string[] | 'exhausted' {
  return outcome.kind === 'allocated' ? outcome.cidrs.map(formatCidr) : 'exhausted';
}

function blockText(index: number): string {
  return `10.244.${index}.0/24`;
}

/** Blocks by number in a Map; scans them one by one. */
class ModelNodeCidrs {
  readonly owners = new Map<number, string>();
  readonly #total: number;
  #cursor = 0;

  constructor(total: number) {
    this.#total = total;
  }

  held(node: string): string[] {
    return [...this.owners]
      .filter(([, owner]) => owner === node)
      .map(([block]) => blockText(block));
  }

  allocate(node: string): string[] | 'exhausted' {
    if (this.held(node).length > 0) return this.held(node);
    for (let step = 0; step < this.#total; step += 1) {
      const block = (this.#cursor + step) % this.#total;
      if (this.owners.has(block)) continue;
      this.owners.set(block, node);
      this.#cursor = (block + 1) % this.#total;
      return [blockText(block)];
    }
    return 'exhausted';
  }

  release(node: string): string[] {
    const held = this.held(node);
    for (const [block, owner] of this.owners) if (owner === node) this.owners.delete(block);
    return held;
  }

  occupy(node: string, block: number): string {
    if (block >= this.#total) return 'outOfRange';
    const owner = this.owners.get(block);
    if (owner !== undefined) return owner === node ? 'occupied' : 'inUse';
    this.owners.set(block, node);
    return 'occupied';
  }
}

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { AllocationTransaction } from '../../src/ipam/allocation-transaction.ts';
import {
  describeNodePortRefusal,
  NodePortAllocator,
  type NodePortOutcome,
  type NodePortRequest,
  type NodePortsOutcome,
} from '../../src/ipam/node-ports.ts';

function allocatorOf(first = 30_000, last = 32_767): NodePortAllocator {
  return new NodePortAllocator({ range: { first, last }, random: seededRandom('ports') });
}

function assign(
  allocator: NodePortAllocator,
  requests: readonly NodePortRequest[],
  options: { held?: number[]; allocate?: boolean; holder?: string } = {},
): NodePortsOutcome {
  const transaction = new AllocationTransaction();
  const outcome = allocator.assign(options.holder ?? 'a/b', requests, transaction, options);
  if (outcome.kind === 'assigned') transaction.commit();
  else transaction.rollback();
  return outcome;
}

const tcp = (port: number, nodePort?: number) => ({ port, protocol: 'TCP', nodePort });
const udp = (port: number, nodePort?: number) => ({ port, protocol: 'UDP', nodePort });

describe('NodePortAllocator', () => {
  test.each([
    [30_000, 32_767, 86, 2768],
    [30_000, 30_015, 0, 16],
    [30_000, 30_016, 16, 17],
    [1, 65_535, 128, 65_535],
  ])('%i-%i has a static band of %i of %i ports', (first, last, band, total) => {
    const allocator = allocatorOf(first, last);
    expect([allocator.bandSize, allocator.total]).toEqual([band, total]);
  });

  test('any port comes from above the band until that is full', () => {
    const allocator = allocatorOf();
    const draw = () => {
      const outcome = allocator.allocate('a/b');
      return outcome.kind === 'allocated' ? outcome.port : 0;
    };
    const upper = Array.from({ length: 2768 - 86 }, draw);
    expect([Math.min(...upper), Math.max(...upper), new Set(upper).size]).toEqual([
      30_086, 32_767, 2682,
    ]);
    const band = Array.from({ length: 86 }, draw);
    expect([Math.min(...band), Math.max(...band), new Set(band).size]).toEqual([
      30_000, 30_085, 86,
    ]);
    expect(allocator.allocate('a/b')).toMatchObject({ kind: 'exhausted', total: 2768 });
  });

  test('refusals say why', () => {
    const allocator = allocatorOf();
    allocator.claim(30_001, 'default/tomcat');
    const text = (port: number) => {
      const outcome = allocator.claim(port, 'a/b');
      return outcome.kind === 'allocated' ? '' : describeNodePortRefusal(outcome);
    };
    expect(text(30_001)).toBe('provided port is already allocated (to default/tomcat)');
    expect(text(80)).toBe(
      'provided port is not in the valid range. The range of valid ports is 30000-32767',
    );
  });

  describe('the ports of one Service', () => {
    test('TCP and UDP of one port share a number, other ports do not', () => {
      const outcome = assign(allocatorOf(), [tcp(53), udp(53), tcp(9153)]);
      const [first, second, third] = outcome.kind === 'assigned' ? outcome.nodePorts : [];
      expect(second).toBe(first);
      expect(third).not.toBe(first);
    });

    test('a number asked for by the later of the two serves both', () => {
      expect(assign(allocatorOf(), [tcp(53), udp(53, 30_053)])).toEqual({
        kind: 'assigned',
        nodePorts: [30_053, 30_053],
      });
    });

    test('two ports of a Service cannot ask for one number', () => {
      expect(assign(allocatorOf(), [tcp(80, 30_080), tcp(81, 30_080)])).toEqual({
        kind: 'refused',
        index: 1,
        reason: { kind: 'inUse', port: 30_080, holder: 'a/b' },
      });
    });

    test('two Services never share, whatever the protocol', () => {
      const allocator = allocatorOf();
      assign(allocator, [tcp(53, 30_053)]);
      expect(assign(allocator, [udp(53, 30_053)], { holder: 'c/d' })).toMatchObject({
        kind: 'refused',
        reason: { kind: 'inUse', holder: 'a/b' },
      });
    });

    test('a refused Service takes nothing', () => {
      const allocator = allocatorOf();
      assign(allocator, [tcp(80), tcp(81, 30_081), tcp(82, 80)]);
      expect(allocator.used).toBe(0);
    });

    test('allocateLoadBalancerNodePorts: false honours what is asked for only', () => {
      expect(assign(allocatorOf(), [tcp(80), tcp(81, 30_081)], { allocate: false })).toEqual({
        kind: 'assigned',
        nodePorts: [0, 30_081],
      });
    });

    test('an update keeps, adds and releases', () => {
      const allocator = allocatorOf();
      assign(allocator, [tcp(80, 30_080), tcp(81, 30_081)]);
      const held = [30_080, 30_081];
      expect(assign(allocator, [tcp(80, 30_080), tcp(82, 30_082)], { held })).toEqual({
        kind: 'assigned',
        nodePorts: [30_080, 30_082],
      });
      expect([30_080, 30_081, 30_082].map((port) => allocator.holder(port))).toEqual([
        'a/b',
        undefined,
        'a/b',
      ]);
    });

    test('an update that fails keeps everything', () => {
      const allocator = allocatorOf();
      assign(allocator, [tcp(80, 30_080), tcp(81, 30_081)]);
      assign(allocator, [tcp(82, 30_082), tcp(83, 80)], { held: [30_080, 30_081] });
      expect(allocator.allocations().map(({ port }) => port)).toEqual([30_080, 30_081]);
    });
  });

  test('agrees with a naive model under any sequence of operations', () => {
    const operation = fc.tuple(
      fc.constantFrom<'allocate' | 'claim' | 'release'>('allocate', 'claim', 'release'),
      fc.integer({ min: 99, max: 141 }),
      fc.constantFrom('a/a', 'a/b'),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 150 }), (operations) => {
        const allocator = allocatorOf(100, 140);
        const model = new Map<number, string>();
        for (const [kind, port, name] of operations) {
          const [got, expected] = {
            allocate: () => [
              kindOfNew(allocator.allocate(name), name, model),
              model.size === 41 ? 'exhausted' : 'new',
            ],
            claim: () => {
              const expectedClaim =
                port < 100 || port > 140 ? 'outOfRange' : model.has(port) ? 'inUse' : 'new';
              return [kindOfNew(allocator.claim(port, name), name, model), expectedClaim];
            },
            release: () => {
              const held = model.get(port) === name && model.delete(port);
              return [allocator.release(port, name).kind, held ? 'released' : 'notHeld'];
            },
          }[kind]();
          expect(got).toBe(expected);
        }
        expect(new Map(allocator.allocations().map((a) => [a.port, a.holder]))).toEqual(model);
      }),
    );
  });
});

/** Records an allocation in the model; says whether it was new there. */
function kindOfNew(outcome: NodePortOutcome, name: string, model: Map<number, string>): string {
  if (outcome.kind !== 'allocated') return outcome.kind;
  if (model.has(outcome.port)) return 'handed out twice';
  model.set(outcome.port, name);
  return 'new';
}

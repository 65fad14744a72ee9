// Each point of reference against a model of its source, written independently of it and as plainly as may be.
import { createHash } from 'node:crypto';
import { array, assert, integer, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { type Random, seededRandom } from '../../../src/base/random.ts';
import type {
  Algorithm,
  Balancer,
  EligibleBackend,
} from '../../../src/bench/algorithms/balancer.ts';
import { algorithmNamed } from '../../../src/bench/algorithms/registry.ts';
import { podAddress, sourceAddress } from '../../../src/bench/scenario/network-plan.ts';

interface World {
  readonly balancer: Balancer;
  readonly clock: ManualClock;
  readonly inSystem: Int32Array;
  readonly eligible: readonly EligibleBackend[];
  /** Every bounded draw the balancer made: the model is given the same. */
  readonly draws: number[];
}

function worldOf(algorithm: Algorithm, weights: readonly number[]): World {
  const clock = new ManualClock();
  const inSystem = new Int32Array(weights.length);
  const draws: number[] = [];
  const balancer = algorithm.create({
    node: 0,
    protocol: 'TCP',
    random: noting(seededRandom('reference'), draws),
    clock,
    maximumBackends: weights.length,
    sourceAddress,
    globalInSystem: inSystem,
  });
  const eligible = weights.map((weight, index) => ({ index, weight, ...podAddress(index) }));
  balancer.update(eligible);
  return { balancer, clock, inSystem, eligible, draws };
}

function noting(random: Random, draws: number[]): Random {
  return {
    ...random,
    below(bound) {
      const draw = random.below(bound);
      draws.push(draw);
      return draw;
    },
  };
}

const SEVEN = [1, 1, 1, 1, 1, 1, 1];

interface Request {
  readonly backend: number;
  readonly sentAt: number;
}

/** Requests that come and go at random, to whoever is chosen; `expected` names whom the source would choose. */
function playRequests(
  { balancer, clock }: World,
  model: {
    expected(): number;
    started(backend: number): void;
    ended(backend: number, latencyMs: number): void;
  },
): number[] {
  const script = seededRandom('script');
  const open: Request[] = [];
  const choices: number[] = [];
  for (let connection = 0; connection < 3000; connection += 1) {
    clock.advance(script.float() * 50);
    const backend = balancer.open(connection, 0, 0);
    expect(backend).toBe(model.expected());
    choices.push(backend);
    balancer.requestStarted?.(backend);
    model.started(backend);
    open.push({ backend, sentAt: clock.now() });
    while (open.length > 0 && script.below(3) > 0) {
      const [over] = open.splice(script.below(open.length), 1);
      if (over === undefined) continue;
      clock.advance(script.float() * 5);
      const latencyMs = clock.now() - over.sentAt;
      balancer.requestEnded?.(over.backend, latencyMs);
      model.ended(over.backend, latencyMs);
    }
  }
  return choices;
}

test('p2c: fewer requests of two drawn with replacement, the first of equals (Envoy, least_request_lb.cc)', () => {
  const world = worldOf(algorithmNamed('p2c'), SEVEN);
  const active = SEVEN.map(() => 0);
  const choices = playRequests(world, {
    expected() {
      const [first = 0, second = 0] = world.draws.splice(0);
      return (active[second] ?? 0) < (active[first] ?? 0) ? second : first;
    },
    started: (backend) => void (active[backend] = (active[backend] ?? 0) + 1),
    ended: (backend) => void (active[backend] = (active[backend] ?? 0) - 1),
  });
  expect(new Set(choices).size).toBe(7);
});

test('peak-ewma: the decisions of Finagle (PeakEwma.scala, P2CPick.scala), in its nanoseconds', () => {
  const world = worldOf(algorithmNamed('peak-ewma'), SEVEN);
  const tau = 10e9;
  const nodes = SEVEN.map(() => ({ stamp: 0, pending: 0, cost: 0 }));
  const nodeAt = (backend: number) => nodes[backend] ?? { stamp: 0, pending: 0, cost: 0 };
  const observe = (backend: number, rtt: number): void => {
    const node = nodeAt(backend);
    const now = world.clock.now() * 1e6;
    const w = Math.exp(-Math.max(now - node.stamp, 0) / tau);
    node.cost = rtt > node.cost ? rtt : node.cost * w + rtt * (1 - w);
    node.stamp = now;
  };
  const load = (backend: number): number => {
    observe(backend, 0);
    const { cost, pending } = nodeAt(backend);
    return cost === 0 && pending !== 0 ? 2 ** 47 - 1 + pending : cost * (pending + 1);
  };
  const choices = playRequests(world, {
    expected() {
      const [a = 0, drawn = 0] = world.draws.splice(0);
      const b = drawn >= a ? drawn + 1 : drawn;
      return load(a) < load(b) ? a : b;
    },
    started: (backend) => void (nodeAt(backend).pending += 1),
    ended(backend, latencyMs) {
      nodeAt(backend).pending -= 1;
      observe(backend, latencyMs * 1e6);
    },
  });
  expect(new Set(choices).size).toBe(7);
});

describe('smooth-wrr', () => {
  const choices = (weights: readonly number[], count: number): number[] => {
    const { balancer } = worldOf(algorithmNamed('smooth-wrr'), weights);
    return Array.from({ length: count }, (_, connection) => balancer.open(connection, 0, 0));
  };

  test("5, 1, 1 gives nginx's own example, a a b a c a a", () => {
    expect(choices([5, 1, 1], 14)).toEqual([0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
  });

  test('without a weight nobody is chosen', () => {
    expect(choices([0, 0], 1)).toEqual([-1]);
  });

  test('every round is as the weights say, the same again, and nobody is ahead by a turn', () => {
    assert(
      property(array(integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 }), (others) => {
        const weights = [...others, 1];
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const sequence = choices(weights, 2 * total);
        const [round, again] = [sequence.slice(0, total), sequence.slice(total)];
        expect(again).toEqual(round);
        for (const [index, weight] of weights.entries()) {
          let got = 0;
          for (const [turn, chosen] of round.entries()) {
            if (chosen === index) got += 1;
            expect(got - ((turn + 1) * weight) / total).toBeLessThanOrEqual(1);
          }
          expect(got).toBe(weight);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('jsq', () => {
  test('chooses one of the shortest queues, whatever the queues', () => {
    const { balancer, inSystem } = worldOf(algorithmNamed('jsq'), SEVEN);
    assert(
      property(array(integer({ min: 0, max: 4 }), { minLength: 7, maxLength: 7 }), (queues) => {
        inSystem.set(queues);
        expect(queues[balancer.open(0, 0, 0)]).toBe(Math.min(...queues));
      }),
    );
  });

  test('goes round when all are idle', () => {
    const { balancer } = worldOf(algorithmNamed('jsq'), [1, 1, 1]);
    const rounds = Array.from({ length: 6 }, (_, connection) => balancer.open(connection, 0, 0));
    expect(new Set(rounds.slice(0, 3)).size).toBe(3);
    expect(rounds.slice(3)).toEqual(rounds.slice(0, 3));
  });
});

describe('bounded-hash (Mirrokni, Thorup, Zadimoghaddam, SODA 2018)', () => {
  const hash = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE(0);
  /** Backends in the order in which a source meets them first, going clockwise. */
  const preference = (eligible: readonly EligibleBackend[], source: number): number[] => {
    const key = hash(sourceAddress(source));
    const ahead = eligible.flatMap(({ index, address, port }) =>
      Array.from({ length: 160 }, (_, point) => {
        const distance = hash(`${address}:${port}#${point}`) - key;
        return { index, distance: distance < 0 ? distance + 2 ** 32 : distance };
      }),
    );
    return [...new Set(ahead.toSorted((a, b) => a.distance - b.distance).map((one) => one.index))];
  };

  test('the first clockwise that holds less than ⌈1.25 m / n⌉ of m connections, the new one among them', () => {
    const { balancer, eligible } = worldOf(algorithmNamed('bounded-hash'), SEVEN);
    const orders = Array.from({ length: 30 }, (_, source) => preference(eligible, source));
    const script = seededRandom('balls');
    const loads = SEVEN.map(() => 0);
    const open: { connection: number; backend: number }[] = [];
    let spilled = 0;
    for (let connection = 0; connection < 3000; connection += 1) {
      // Half of the connections come from three sources.
      const source = script.below(2) === 0 ? script.below(3) : script.below(30);
      const bound = Math.ceil((1.25 * (open.length + 1)) / 7);
      const order = orders[source] ?? [];
      const backend = balancer.open(connection, source, 0);
      expect(backend).toBe(order.find((one) => (loads[one] ?? 0) < bound));
      if (backend !== order[0]) spilled += 1;
      loads[backend] = (loads[backend] ?? 0) + 1;
      open.push({ connection, backend });
      expect(loads[backend]).toBeLessThanOrEqual(bound);
      while (open.length > 60 || (open.length > 0 && script.below(3) === 0)) {
        const [over] = open.splice(script.below(open.length), 1);
        if (over === undefined) continue;
        balancer.close(over.connection, 'client');
        loads[over.backend] = (loads[over.backend] ?? 0) - 1;
      }
    }
    expect(spilled).toBeGreaterThan(300);
  });
});

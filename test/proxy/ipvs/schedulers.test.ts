// What must hold of every scheduler, whatever is done to its service.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecisionTrace } from '../../../src/proxy/ipvs/decision-trace.ts';
import {
  isSchedulerName,
  type SchedulerName,
  schedulers,
} from '../../../src/proxy/ipvs/schedulers/registry.ts';
import { backend, director, type TestDirector, WEB } from './director.ts';

const names = Object.keys(schedulers).filter((name) => isSchedulerName(name));

const operation = fc.oneof(
  fc.record({ kind: fc.constant('connect' as const), client: fc.integer({ min: 1, max: 60_000 }) }),
  fc.record({
    kind: fc.constant('add' as const),
    number: fc.integer({ min: 1, max: 6 }),
    weight: fc.integer({ min: 0, max: 5 }),
    upperThreshold: fc.constantFrom(0, 0, 2, 4),
  }),
  fc.record({
    kind: fc.constant('edit' as const),
    number: fc.integer({ min: 1, max: 6 }),
    weight: fc.integer({ min: 0, max: 5 }),
    upperThreshold: fc.constantFrom(0, 0, 2, 4),
  }),
  fc.record({ kind: fc.constant('remove' as const), number: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 200 }) }),
);

/** lblc does not look at the overload flag of the server it has cached. */
const ignoresOverload = new Set<SchedulerName>(['lblc']);

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** Does it; what is wrong with the destination a new connection got, if anything. */
function apply({ ipvs, clock, verdict }: TestDirector, op: Operation): string | undefined {
  if (op.kind === 'wait') clock.advance(op.seconds * 1000);
  if (op.kind === 'add') ipvs.addDestination(WEB, backend(op.number), op);
  if (op.kind === 'edit') ipvs.editDestination(WEB, backend(op.number), op);
  if (op.kind === 'remove') ipvs.deleteDestination(WEB, backend(op.number));
  if (op.kind !== 'connect') return undefined;
  const list = ipvs.service(WEB)?.destinations ?? [];
  const overloaded = new Map(list.map((one) => [one, one.overloaded]));
  const known = ipvs.connectionCount;
  const outcome = verdict(`10.1.0.1:${op.client + 100}`);
  if (outcome.kind !== 'forward' || ipvs.connectionCount === known) return undefined;
  const { destination } = outcome;
  if (!overloaded.has(destination)) return `${destination.name} was removed`;
  if (destination.weight === 0) return `${destination.name} has weight 0`;
  const isOver = overloaded.get(destination) === true;
  const scheduler = ipvs.service(WEB)?.settings.scheduler ?? 'rr';
  return isOver && !ignoresOverload.has(scheduler) ? `${destination.name} is full` : undefined;
}

describe.each(names)('%s', (name) => {
  test('never chooses a destination that may not be used', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), fc.boolean(), async (ops, flag) => {
        const made = director(name, [1, 2], {
          settings: { schedulerFlags: { fallback: flag, port: true } },
        });
        const wrong = ops.map((op) => apply(made, op)).filter((one) => one !== undefined);
        await made.ipvs.close();
        expect({ wrong, timers: made.clock.pending }).toEqual({ wrong: [], timers: 0 });
      }),
      { numRuns: 60 },
    );
  });

  test('counters return to zero when everything has expired', () => {
    const { clock, send, list } = director(name, [1, 1, 1]);
    for (let port = 1000; port < 1020; port += 1) send(`10.1.0.${port % 250}:${port}`);
    clock.advance(60_000);
    expect(list().map((row) => row.slice(2))).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  test('refuses when there is nobody', () => {
    expect(director(name, []).send('10.1.0.1:1000')).toBe('refused');
    expect(director(name, [0, 0]).send('10.1.0.1:1000')).toBe('refused');
  });

  test('says why, and chooses the same when asked to', () => {
    const asked = director(name, [5, 6, 7]);
    const silent = director(name, [5, 6, 7]);
    for (let port = 1000; port < 1010; port += 1) {
      const trace: DecisionTrace = [];
      const outcome = asked.ipvs.schedule(
        {
          protocol: 'TCP',
          source: { address: '10.1.0.1', port },
          destination: { address: '10.96.0.1', port: 80 },
        },
        trace,
      );
      const chosen = outcome.kind === 'forward' ? outcome.destination.name : outcome.kind;
      expect(silent.send(`10.1.0.1:${port}`)).toBe(chosen);
      expect(trace[0]).toEqual({ kind: 'service', service: 'TCP 10.96.0.1:80', scheduler: name });
      expect(trace.at(-1)).toMatchObject({ kind: 'chosen', destination: chosen });
    }
  });
});

test('wrr gives each destination its weight in every round', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 }),
      (weights) => {
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        fc.pre(total > 0);
        const { send } = director('wrr', weights);
        // The first round starts with the limit left by setting up; the next ones are whole.
        for (let index = 0; index < total; index += 1) send(`10.1.0.1:${1000 + index}`);
        const counts = new Map<string, number>();
        for (let index = 0; index < total * 3; index += 1) {
          const chosen = send(`10.1.0.2:${1000 + index}`);
          counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
        }
        for (const [index, weight] of weights.entries())
          expect(counts.get(`10.2.0.${index + 1}:8080`) ?? 0).toBe(weight * 3);
      },
    ),
  );
});

test('mh moves few clients when a destination is removed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 12 }), fc.integer({ min: 1, max: 12 }), (size, gone) => {
      fc.pre(gone <= size);
      const weights = new Array<number>(size).fill(1);
      const before = director('mh', weights);
      const after = director('mh', weights);
      after.ipvs.deleteDestination(WEB, backend(gone));
      const lost = `10.2.0.${gone}:8080`;
      let moved = 0;
      const clients = 2000;
      for (let client = 0; client < clients; client += 1) {
        const source = `10.${client >> 8}.${client & 255}.1:1000`;
        const old = before.send(source);
        if (old !== lost && after.send(source) !== old) moved += 1;
      }
      // Maglev's disruption among the survivors: a few per cent, not the (n-1)/n of a modulo.
      expect(moved / clients).toBeLessThan(0.15);
    }),
    { numRuns: 20 },
  );
});

test('draining moves no client of mh and refuses those of the drained one', () => {
  const { ipvs, send } = director('mh', [1, 1, 1]);
  const sources = Array.from({ length: 300 }, (_, index) => `10.1.${index >> 8}.${index & 255}:1`);
  const before = sources.map((source) => send(source));
  ipvs.editDestination(WEB, backend(2), { weight: 0 });
  const later = sources.map((source) => send(source.replace(':1', ':2')));
  for (const [index, chosen] of later.entries())
    expect(chosen).toBe(before[index] === '10.2.0.2:8080' ? 'refused' : before[index]);
});

test('twos draws the first of the list once more than its weight', () => {
  const { send } = director('twos', [1, 1, 1], {
    service: { kind: 'address', protocol: 'UDP', address: '10.96.0.1', port: 53 },
    settings: { onePacket: true },
  });
  const counts = new Map<string, number>();
  for (let index = 0; index < 4000; index += 1) {
    const chosen = send('10.1.0.1:1000');
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
  }
  expect((counts.get('10.2.0.3:8080') ?? 0) / 4000).toBeCloseTo(0.5, 1);
  expect((counts.get('10.2.0.1:8080') ?? 0) / 4000).toBeCloseTo(0.25, 1);
});

test('ovf lets weight + 1 connections in before it overflows', () => {
  const { send } = director('ovf', [1, 2]);
  const chosen = [1, 2, 3, 4, 5, 6].map((index) => send(`10.1.0.1:${index}`));
  const heavy = '10.2.0.2:8080';
  const light = '10.2.0.1:8080';
  expect(chosen).toEqual([heavy, heavy, heavy, light, light, 'refused']);
});

test('lblc keeps a removed server in mind, and out of the trash, until it comes back', () => {
  const { ipvs, clock, send } = director('lblc', [1, 1]);
  expect(send('10.1.0.1:1')).toBe('10.2.0.2:8080');
  ipvs.deleteDestination(WEB, backend(2));
  clock.advance(1_000_000);
  ipvs.addDestination(WEB, backend(2), { weight: 1 });
  ipvs.addDestination(WEB, backend(3), { weight: 9 });
  expect(send('10.1.0.1:2')).toBe('10.2.0.2:8080');
});

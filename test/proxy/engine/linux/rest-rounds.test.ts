import { expect, test } from 'vitest';
import { ManualClock } from '../../../../src/base/clock.ts';
import {
  type MayRestBothWays,
  RestRounds,
} from '../../../../src/proxy/engine/linux/rest-rounds.ts';

const ROUND_MS = 5000;
const FOR_EVER = -1;

/** A conversation that stays awake for so many visits. */
class Sleepy implements MayRestBothWays {
  readonly state: string;
  visits = 0;
  readonly up = { restIfSilent: (): boolean => this.#visit() };
  readonly down = { restIfSilent: (): boolean => false };
  #awakeFor: number;

  constructor(awakeFor: number, state = 'forwarding') {
    this.#awakeFor = awakeFor;
    this.state = state;
  }

  #visit(): boolean {
    this.visits += 1;
    this.#awakeFor -= 1;
    return this.#awakeFor >= 0;
  }
}

function started(conversations: readonly MayRestBothWays[]): {
  clock: ManualClock;
  rounds: RestRounds;
} {
  const clock = new ManualClock();
  const rounds = new RestRounds(clock, { all: () => conversations.values() });
  clock.advance(ROUND_MS);
  return { clock, rounds };
}

/** Turns in which nothing happens, each after as long a wait as is allowed, until one may last for ever. */
function untilQuiet(clock: ManualClock, rounds: RestRounds): number {
  let turns = 0;
  for (; rounds.timeoutMs(FOR_EVER) !== FOR_EVER; turns += 1) {
    clock.advance(rounds.timeoutMs(FOR_EVER));
    rounds.turn(0);
  }
  return turns;
}

test('everybody is visited until all rest; then the thread may wait for ever', () => {
  const sleepers = [new Sleepy(2), new Sleepy(0), new Sleepy(1)];
  const { clock, rounds } = started(sleepers);
  rounds.turn(1);
  untilQuiet(clock, rounds);
  expect(sleepers.map(({ visits }) => visits)).toEqual([3, 3, 3]);
  rounds.turn(1);
  untilQuiet(clock, rounds);
  expect(sleepers.map(({ visits }) => visits)).toEqual([4, 4, 4]);
});

test('a round begins five seconds after the one before, however busy the thread is', () => {
  const sleeper = new Sleepy(Infinity);
  const { clock, rounds } = started([sleeper]);
  for (let ms = 0; ms < 3 * ROUND_MS; ms += 1) {
    rounds.turn(1);
    clock.advance(1);
  }
  expect(sleeper.visits).toBe(3);
});

test('a round of many takes many turns, between which the thread does not wait', () => {
  const sleepers = Array.from({ length: 1000 }, () => new Sleepy(0));
  const { rounds } = started(sleepers);
  rounds.turn(1);
  const visited = (): number => sleepers.filter(({ visits }) => visits > 0).length;
  expect(visited()).toBeLessThan(100);
  expect(rounds.timeoutMs(FOR_EVER)).toBe(0);
  for (let turn = 0; turn < 20; turn += 1) rounds.turn(0);
  expect(visited()).toBe(1000);
});

test('a shorter wait stays as it is', () => {
  const { rounds } = started([new Sleepy(Infinity)]);
  rounds.turn(1);
  rounds.turn(1);
  expect([rounds.timeoutMs(7), rounds.timeoutMs(0)]).toEqual([7, 0]);
});

test('only what is forwarded is asked', () => {
  const others = ['waiting', 'dialing', 'ending'].map((state) => new Sleepy(1, state));
  const { clock, rounds } = started(others);
  rounds.turn(1);
  untilQuiet(clock, rounds);
  expect(others.map(({ visits }) => visits)).toEqual([0, 0, 0]);
});

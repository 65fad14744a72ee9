// Simulations use the IPVS schedulers with reduced connections; a whole director must decide the same.
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { type Random, seededRandom } from '../../../src/base/random.ts';
import type { Balancer, BalancerContext } from '../../../src/bench/algorithms/balancer.ts';
import { ipvsBalancer } from '../../../src/bench/algorithms/ipvs-balancer.ts';
import {
  podAddress,
  SERVICE_ADDRESS,
  SERVICE_PORT,
  sourceAddress,
} from '../../../src/bench/scenario/network-plan.ts';
import type { Connection } from '../../../src/proxy/ipvs/connection.ts';
import { Ipvs } from '../../../src/proxy/ipvs/ipvs.ts';
import { type SchedulerName, schedulers } from '../../../src/proxy/ipvs/schedulers/registry.ts';
import type { ServiceId } from '../../../src/proxy/ipvs/virtual-service.ts';

const BACKENDS = 7;
const FLAGS = { fallback: false, port: false };

interface World {
  readonly clock: ManualClock;
  open(connection: number, source: number, port: number): number;
  close(connection: number, how: 'client' | 'server' | 'failed'): void;
}

/** Keeps the first shuffle from moving anything: both worlds add their destinations in the same order. */
function unshuffled(random: Random): Random {
  let left = BACKENDS - 1;
  return { ...random, below: (bound) => (left-- > 0 ? bound - 1 : random.below(bound)) };
}

function weightOf(index: number): number {
  return 1 + (index % 3);
}

function reduced(scheduler: SchedulerName, protocol: 'TCP' | 'UDP'): World {
  const clock = new ManualClock();
  const context: BalancerContext = {
    node: 0,
    protocol,
    random: unshuffled(seededRandom('twos')),
    clock,
    maximumBackends: BACKENDS,
    sourceAddress,
    globalInSystem: new Int32Array(BACKENDS),
  };
  const balancer: Balancer = ipvsBalancer({ scheduler, flags: FLAGS }, context);
  balancer.update(
    Array.from({ length: BACKENDS }, (_, index) => ({
      index,
      weight: weightOf(index),
      ...podAddress(index),
    })),
  );
  return {
    clock,
    open: (connection, source, port) => balancer.open(connection, source, port),
    close: (connection, how) => balancer.close(connection, how),
  };
}

function whole(scheduler: SchedulerName, protocol: 'TCP' | 'UDP'): World {
  const clock = new ManualClock();
  const ipvs = new Ipvs({ clock, random: seededRandom('twos') });
  const id: ServiceId = { kind: 'address', protocol, address: SERVICE_ADDRESS, port: SERVICE_PORT };
  ipvs.addService(id, { scheduler, schedulerFlags: FLAGS });
  for (let index = 0; index < BACKENDS; index += 1)
    ipvs.addDestination(id, podAddress(index), { weight: weightOf(index) });
  const entries = new Map<number, Connection>();
  return {
    clock,
    open(connection, source, port) {
      const verdict = ipvs.schedule({
        protocol,
        source: { address: sourceAddress(source), port },
        destination: { address: SERVICE_ADDRESS, port: SERVICE_PORT },
      });
      if (verdict.kind !== 'forward') return -1;
      if (protocol === 'TCP') ipvs.clientPacket(verdict.connection);
      entries.set(connection, verdict.connection);
      return Array.from({ length: BACKENDS }, (_, index) => podAddress(index).address).indexOf(
        verdict.destination.address,
      );
    },
    close(connection, how) {
      const entry = entries.get(connection);
      if (entry === undefined || protocol === 'UDP') return;
      if (how === 'failed') {
        ipvs.serverPacket(entry, 'rst');
        return;
      }
      ipvs.clientPacket(entry, 'fin');
      ipvs.serverPacket(entry, 'fin');
    },
  };
}

/** Opens, closes and waits at random; every connection has its own source port. */
function play(world: World, isOver: (how: string) => 'client' | 'failed'): number[] {
  const random = seededRandom('script');
  const open: number[] = [];
  const choices: number[] = [];
  for (let connection = 0; connection < 1500; connection += 1) {
    world.clock.advance(random.below(400));
    const choice = world.open(connection, random.below(40), 1024 + connection);
    choices.push(choice);
    if (choice >= 0) open.push(connection);
    while (open.length > 40 || (open.length > 0 && random.below(3) === 0)) {
      const [ended] = open.splice(random.below(open.length), 1);
      world.close(ended ?? 0, isOver(random.below(5) === 0 ? 'failed' : 'client'));
    }
  }
  return choices;
}

describe('decisions are those of a whole director', () => {
  for (const scheduler of Object.keys(schedulers) as SchedulerName[])
    test(`${scheduler}, TCP with normal ends and resets`, () => {
      const how = (word: string): 'client' | 'failed' => (word === 'failed' ? 'failed' : 'client');
      const expected = play(whole(scheduler, 'TCP'), how);
      expect(play(reduced(scheduler, 'TCP'), how)).toEqual(expected);
      const usesOne = scheduler === 'dh' || scheduler === 'fo';
      expect(new Set(expected).size).toBeGreaterThan(usesOne ? 0 : 1);
    });

  for (const scheduler of ['lc', 'wlc', 'sed', 'rr'] as const)
    test(`${scheduler}, UDP, whose datagrams end by themselves`, () => {
      // To a director a datagram has no end: its entry lives on from the last packet.
      const script = (world: World): number[] => {
        const choices: number[] = [];
        for (let connection = 0; connection < 2000; connection += 1) {
          world.clock.advance(700);
          choices.push(world.open(connection, connection % 40, 1024 + connection));
          world.close(connection, 'client');
        }
        return choices;
      };
      expect(script(reduced(scheduler, 'UDP'))).toEqual(script(whole(scheduler, 'UDP')));
    });
});

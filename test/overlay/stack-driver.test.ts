import { beforeEach, expect, test } from 'vitest';
import type { Clock, Timer } from '../../src/base/clock.ts';
import type { Ipv4Cidr } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { NetInterface } from '../../src/netstack/ip/net-interface.ts';
import { Stack } from '../../src/netstack/stack.ts';
import { StackDriver } from '../../src/overlay/stack-driver.ts';
import { cidr } from '../ipam/addresses.ts';
import { CLIENT, POD } from './stack-pair.ts';

const EVERYTHING = cidr('10.244.0.0/16') as Ipv4Cidr;
const MACS = { client: 0x0200_0000_0001, pod: 0x0200_0000_0002 } as const;

/** The phases of an event loop, in which time may pass anywhere. */
class TurnClock implements Clock {
  nowMs = 0;
  #timers: { readonly dueMs: number; readonly callback: () => void }[] = [];
  #deferred: { readonly callback: () => void }[] = [];

  now(): number {
    return this.nowMs;
  }

  wallNow(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.nowMs + delayMs, callback };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  defer(callback: () => void): Timer {
    const deferred = { callback };
    this.#deferred.push(deferred);
    return {
      cancel: () => (this.#deferred = this.#deferred.filter((other) => other !== deferred)),
    };
  }

  runTimers(): void {
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.nowMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { callback } of due) callback();
  }

  runDeferred(): void {
    for (const { callback } of this.#deferred.splice(0)) callback();
  }
}

let clock: TurnClock;
let driver: StackDriver;
let netInterface: NetInterface;
/** What the driver's stack sent. */
let sent: Uint8Array[];
let ended: string[];

/** A client that has sent a SYN and waits, for a second, for what comes of it. */
beforeEach(() => {
  clock = new TurnClock();
  sent = [];
  ended = [];
  const emit = (_: NetInterface, packet: Uint8Array): void => void sent.push(packet);
  driver = new StackDriver({ clock, random: seededRandom('client'), emit });
  netInterface = attach(driver.stack, CLIENT, MACS.client);
  driver.stack.neighbours.setPermanent(netInterface, POD, MACS.pod);
  const target = { address: POD, port: 80, source: CLIENT };
  driver.stack.tcp.connect(0, target, { closed: (reason) => ended.push(reason) });
  clock.runDeferred();
});

function attach(stack: Stack, address: number, mac: number): NetInterface {
  const device = stack.addInterface({ name: 'eth0', mac, mtuBytes: 1450 });
  stack.addAddress(address);
  stack.fib.replace({ destination: EVERYTHING, netInterface: device });
  return device;
}

/** What a pod without a server answers to the client's packets. */
function answers(): Uint8Array[] {
  const pod = new Stack({ random: seededRandom('pod') });
  const device = attach(pod, POD, MACS.pod);
  pod.neighbours.setPermanent(device, CLIENT, MACS.client);
  const packets: Uint8Array[] = [];
  for (const packet of sent) pod.process(0, device, packet);
  pod.dispatch(0, (_, packet) => void packets.push(packet));
  return packets;
}

test('what came while the process stood still is read before a timer runs that fell due meanwhile', () => {
  const waiting = answers();
  driver.wake();
  clock.nowMs = 1500;
  clock.runDeferred();
  expect(sent).toHaveLength(1);
  clock.runTimers();
  for (const packet of waiting) driver.process(netInterface, packet, 0, packet.length);
  clock.runDeferred();
  expect(sent).toHaveLength(1);
  expect(ended).toEqual(['refused']);
});

test('a timer that fell due is put off by one turn only', () => {
  driver.wake();
  clock.nowMs = 1500;
  clock.runDeferred();
  driver.wake();
  clock.runTimers();
  clock.runDeferred();
  expect(sent).toHaveLength(2);
  expect(ended).toEqual([]);
});

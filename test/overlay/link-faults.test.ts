import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { FaultyLink, type LinkFaults } from '../../src/overlay/link-faults.ts';
import { tcpFrame, udpFrame } from '../netstack/frames.ts';

const FRAMES = 20_000;

function link(faults: LinkFaults): FaultyLink {
  return new FaultyLink(seededRandom('faults'), faults);
}

/** Arrivals of `count` frames sent `everyMs`, numbered in their first bytes. */
function arrivals(
  faulty: FaultyLink,
  options: { count?: number; everyMs?: number; bytes?: number } = {},
): { atMs: number; packet: Uint8Array; sentAtMs: number }[] {
  const { count = FRAMES, everyMs = 0, bytes = 100 } = options;
  return Array.from({ length: count }, (_, index) => index * everyMs).flatMap((sentAtMs) => {
    const fate = faulty.send(sentAtMs, new Uint8Array(bytes));
    return fate.kind === 'dropped'
      ? []
      : fate.arrivals.map((arrival) => ({ ...arrival, sentAtMs }));
  });
}

describe('a healthy link', () => {
  test('hands on the same bytes at once', () => {
    const packet = new Uint8Array(100);
    const fate = link({}).send(5, packet);
    expect(fate).toEqual({ kind: 'delivered', arrivals: [{ atMs: 5, packet }] });
    expect(fate.kind === 'delivered' && fate.arrivals[0]?.packet).toBe(packet);
  });
});

describe('faults', () => {
  test.each([0.01, 0.1, 0.5])('loss of %d', (lossFraction) => {
    const lost = 1 - arrivals(link({ lossFraction })).length / FRAMES;
    expect(Math.abs(lost - lossFraction)).toBeLessThan(0.015);
  });

  test('duplicates', () => {
    const extra = arrivals(link({ duplicateFraction: 0.2 })).length / FRAMES - 1;
    expect(Math.abs(extra - 0.2)).toBeLessThan(0.015);
  });

  test('corruption flips one bit of a copy', () => {
    const packet = new Uint8Array(100);
    const [arrival] = arrivals(link({ corruptFraction: 1 }), { count: 1 });
    const bits = [...(arrival?.packet ?? [])].reduce(
      (sum, byte) => sum + byte.toString(2).replaceAll('0', '').length,
      0,
    );
    expect(bits).toBe(1);
    link({ corruptFraction: 1 }).send(0, packet);
    expect(packet).toEqual(new Uint8Array(100));
  });

  test('a blocked port takes the whole tunnel, or what is inside and meant for it', () => {
    const datagram = udpFrame({ sourcePort: 1024, destinationPort: 53 }, Buffer.from('query'));
    const through = (ports: number[], tunnelPort: number, frame: Uint8Array): string =>
      new FaultyLink(seededRandom('faults'), { blockedUdpPorts: ports }, tunnelPort).send(0, frame)
        .kind;
    expect(through([8472], 8472, tcpFrame({}))).toBe('dropped');
    expect(through([8472], 4789, tcpFrame({}))).toBe('delivered');
    expect(through([53], 8472, datagram)).toBe('dropped');
    expect(through([53], 8472, tcpFrame({}))).toBe('delivered');
    expect(() => link({ blockedUdpPorts: [0] })).toThrow(/blockedUdpPorts 0/);
  });

  test('delay and jitter keep the order', () => {
    const times = arrivals(link({ delayMs: 10, jitterMs: 50 }), { everyMs: 1, count: 1000 });
    for (const [index, { atMs, sentAtMs }] of times.entries()) {
      expect(atMs - sentAtMs).toBeGreaterThanOrEqual(10);
      expect(atMs).toBeGreaterThanOrEqual(times[index - 1]?.atMs ?? 0);
    }
  });

  test('reordering lets later frames overtake', () => {
    const faulty = link({ delayMs: 5, reorderFraction: 0.1, reorderDelayMs: 3 });
    const times = arrivals(faulty, { everyMs: 1, count: 1000 });
    const late = times.filter(({ atMs, sentAtMs }) => atMs - sentAtMs === 8).length;
    expect(late).toBeGreaterThan(60);
    expect(late).toBeLessThan(140);
    expect(times.every(({ atMs, sentAtMs }) => [5, 8].includes(atMs - sentAtMs))).toBe(true);
  });

  test('a rate spaces frames out and its queue overflows', () => {
    // 100 bytes at 8 kb/s: 100 ms each.
    const faulty = link({ rateBitsPerSecond: 8000, queueBytes: 300 });
    expect(arrivals(faulty, { count: 5 }).map(({ atMs }) => Math.round(atMs))).toEqual([
      100, 200, 300,
    ]);
    expect(faulty.send(0, new Uint8Array(100))).toEqual({
      kind: 'dropped',
      reason: 'fault-queue-full',
    });
    expect(faulty.send(150, new Uint8Array(100)).kind).toBe('delivered');
  });

  test('a frame larger than the queue passes an idle link', () =>
    expect(
      link({ rateBitsPerSecond: 8000, queueBytes: 50 }).send(0, new Uint8Array(100)).kind,
    ).toBe('delivered'));

  test('a partition, and its end', () => {
    const faulty = link({ isPartitioned: true });
    expect(faulty.send(0, new Uint8Array(60))).toEqual({
      kind: 'dropped',
      reason: 'fault-partition',
    });
    faulty.faults = {};
    expect(faulty.send(0, new Uint8Array(60)).kind).toBe('delivered');
  });

  test('a black hole swallows what is above its MTU, the Ethernet header not counted', () => {
    const faulty = link({ blackHoleMtuBytes: 1400 });
    expect(faulty.send(0, new Uint8Array(8 + 1414), 8).kind).toBe('delivered');
    expect(faulty.send(0, new Uint8Array(8 + 1415), 8)).toEqual({
      kind: 'dropped',
      reason: 'fault-black-hole',
    });
  });

  test('partial checksums', () => {
    const frame = tcpFrame({ sourcePort: 1, destinationPort: 2 }, Uint8Array.of(1, 2, 3));
    const fate = link({ leavesChecksumsPartial: true }).send(0, frame);
    const left = fate.kind === 'delivered' ? fate.arrivals[0]?.packet : undefined;
    // Pseudo header: c000 + 0202 + c000 + 0201 + 6 + 23, folded.
    expect(left?.subarray(50, 52)).toEqual(Uint8Array.of(0x84, 0x21));
    const arp = new Uint8Array(42);
    expect(link({ leavesChecksumsPartial: true }).send(0, arp)).toMatchObject({
      arrivals: [{ packet: arp }],
    });
  });

  test('the same seed meets the same fate', () => {
    const faults = { lossFraction: 0.3, jitterMs: 9, duplicateFraction: 0.1, corruptFraction: 0.1 };
    expect(arrivals(link(faults), { count: 500 })).toEqual(arrivals(link(faults), { count: 500 }));
  });
});

describe('refusals name the field', () => {
  test.each<[LinkFaults, string]>([
    [{ lossFraction: 1.1 }, 'lossFraction 1.1 is outside 0..1'],
    [{ corruptFraction: -0.1 }, 'corruptFraction -0.1 is outside 0..1'],
    [{ duplicateFraction: Number.NaN }, 'duplicateFraction NaN is outside 0..1'],
    [{ delayMs: -1 }, 'delayMs -1 is negative'],
    [{ rateBitsPerSecond: 0 }, 'rateBitsPerSecond 0 must be above 0'],
  ])('%j', (faults, message) => expect(() => link(faults)).toThrow(message));
});

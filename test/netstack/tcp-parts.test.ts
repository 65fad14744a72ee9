// The data structures of a connection, each against something simpler.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeadlineHeap } from '../../src/netstack/deadline-heap.ts';
import { seqAdd, seqBefore, seqDiff, seqMax, seqMin } from '../../src/netstack/seq.ts';
import { initialWindow } from '../../src/netstack/tcp/congestion-control.ts';
import { Cubic } from '../../src/netstack/tcp/cubic.ts';
import { NewReno } from '../../src/netstack/tcp/new-reno.ts';
import { ReceiveBuffer } from '../../src/netstack/tcp/receive-buffer.ts';
import { RttEstimator } from '../../src/netstack/tcp/rtt-estimator.ts';
import { SendBuffer } from '../../src/netstack/tcp/send-buffer.ts';
import { SentQueue } from '../../src/netstack/tcp/sent-queue.ts';
import { TokenBucket } from '../../src/netstack/token-bucket.ts';

/** Initial sequence numbers at the borders, and anywhere. */
const isn = fc.oneof(
  fc.constantFrom(0, 0xffff_ff00, 0x7fff_ff00, 0xffff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);

describe('sequence numbers', () => {
  test('order holds across both borders', () => {
    fc.assert(
      fc.property(isn, fc.integer({ min: 1, max: 0x7fff_ffff }), (base, ahead) => {
        const later = seqAdd(base, ahead);
        expect([seqBefore(base, later), seqBefore(later, base)]).toEqual([true, false]);
        expect([seqDiff(later, base), seqDiff(base, later)]).toEqual([ahead, -ahead]);
        expect([seqMax(base, later), seqMin(base, later)]).toEqual([later, base]);
      }),
    );
  });
});

describe('the deadline heap', () => {
  test('hands out what is due, earliest first, whatever was moved and removed', () => {
    const operations = fc.array(
      fc.tuple(fc.nat({ max: 20 }), fc.oneof(fc.nat({ max: 100 }), fc.constant(Infinity))),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(operations, fc.nat({ max: 120 }), (moves, now) => {
        const heap = new DeadlineHeap<{ id: number; deadline: number; heapIndex: number }>();
        const items = Array.from({ length: 21 }, (_, id) => ({ id, deadline: 0, heapIndex: -1 }));
        const model = new Map<number, number>();
        for (const [id, deadline] of moves) {
          const item = items[id];
          if (item === undefined) continue;
          heap.schedule(item, deadline);
          if (deadline === Infinity) model.delete(id);
          else model.set(id, deadline);
          expect(heap.next).toBe(Math.min(Infinity, ...model.values()));
        }
        const due: number[] = [];
        for (let item = heap.popDue(now); item !== undefined; item = heap.popDue(now)) {
          due.push(item.deadline);
          model.delete(item.id);
        }
        expect(due).toEqual(due.toSorted((a, b) => a - b));
        expect([...model.values()].every((deadline) => deadline > now)).toBe(true);
        expect(heap.size).toBe(model.size);
      }),
    );
  });
});

describe('the send buffer', () => {
  test('is a queue of bytes with random access, whatever is written and acknowledged', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ write: fc.uint8Array({ maxLength: 30_000 }) }),
        fc.record({ acknowledge: fc.double({ min: 0, max: 1, noNaN: true }) }),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 100_000 }), (script, maxBytes) => {
        const buffer = new SendBuffer(maxBytes);
        let model: number[] = [];
        for (const step of script) {
          if ('write' in step) {
            buffer.write(step.write);
            model = [...model, ...step.write].slice(0, maxBytes);
          } else {
            const bytes = Math.floor(step.acknowledge * model.length);
            buffer.acknowledge(bytes);
            model = model.slice(bytes);
          }
          expect([buffer.length, buffer.freeBytes]).toEqual([
            model.length,
            maxBytes - model.length,
          ]);
          const copied = new Uint8Array(model.length);
          buffer.copy(0, model.length, copied, 0);
          expect(Buffer.compare(copied, Uint8Array.from(model))).toBe(0);
          expect(buffer.capacityBytes).toBeLessThanOrEqual(maxBytes);
        }
        buffer.release();
        expect([buffer.length, buffer.capacityBytes]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the receive buffer', () => {
  test('puts any order of any overlapping pieces together, and reports exactly what it holds', () => {
    const TOTAL = 200;
    const pieces = fc.array(fc.tuple(fc.nat({ max: TOTAL - 1 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(pieces, isn, (script, base) => {
        const buffer = new ReceiveBuffer(100_000);
        const held = new Set<number>();
        let next = 0;
        for (const [from, length] of script) {
          const to = Math.min(from + length, TOTAL);
          const start = Math.max(from, next);
          if (start >= to) continue;
          const data = Uint8Array.from({ length: to - start }, (_, index) => start + index);
          const isNew = data.some((position) => !held.has(position));
          const wanted = isNew ? 'kept' : 'duplicate';
          expect(start === next ? wanted : buffer.insert(seqAdd(base, start), data)).toBe(wanted);
          if (start === next) {
            buffer.append(data);
            next = to;
          }
          for (const position of data) held.add(position);
          next = seqDiff(buffer.advance(seqAdd(base, next)), base);
          const edges = new Uint32Array(80);
          const blocks = buffer.sackBlocks(edges, 0, 40);
          const reported = new Set<number>();
          for (let block = 0; block < blocks; block += 1) {
            const left = seqDiff(edges[2 * block] ?? 0, base);
            const right = seqDiff(edges[2 * block + 1] ?? 0, base);
            for (let position = left; position < right; position += 1) reported.add(position);
          }
          // Ranges touched by one arrival share their turn: only some of them are reported.
          for (const position of reported) expect(held.has(position) && position > next).toBe(true);
          expect(buffer.hasGap).toBe([...held].some((position) => position >= next));
        }
        const read: number[] = [];
        for (let chunk = buffer.read(); chunk !== undefined; chunk = buffer.read())
          read.push(...chunk);
        expect(read).toEqual(Array.from({ length: next }, (_, index) => index));
        expect(buffer.readyBytes).toBe(0);
      }),
    );
  });

  test('holds no more pieces than its size is worth', () => {
    const buffer = new ReceiveBuffer(64 * 256);
    const outcomes = Array.from({ length: 65 }, (_, index) =>
      buffer.insert(10 + 2 * index, Uint8Array.of(1)),
    );
    expect(outcomes.slice(62)).toEqual(['kept', 'kept', 'full']);
    buffer.release();
    expect(buffer.hasGap).toBe(false);
  });
});

describe('the retransmission queue', () => {
  const LENGTH = 100;
  const operations = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('push' as const), count: fc.nat({ max: 10 }) }),
      fc.record({ kind: fc.constant('ack' as const), at: fc.nat({ max: 5000 }) }),
      fc.record({
        kind: fc.constant('sack' as const),
        at: fc.nat({ max: 5000 }),
        length: fc.nat({ max: 900 }),
      }),
      fc.record({
        kind: fc.constantFrom('lose' as const, 'resend' as const),
        at: fc.nat({ max: 50 }),
      }),
      fc.record({ kind: fc.constant('timeout' as const) }),
      fc.record({ kind: fc.constant('split' as const), bytes: fc.integer({ min: 10, max: 100 }) }),
    ),
    { maxLength: 60 },
  );

  /** RFC 6675's pipe by its definition. */
  function pipeOf(queue: SentQueue): number {
    let pipe = 0;
    for (let index = 0; index < queue.count; index += 1) {
      const { start, end, sacked, lost, resent } = queue.at(index);
      if (!sacked && (!lost || resent)) pipe += seqDiff(end, start);
    }
    return pipe;
  }

  test('its counts are those of its records, in any order of events', () => {
    fc.assert(
      fc.property(operations, isn, (script, base) => {
        const queue = new SentQueue();
        let una = base;
        let max = base;
        for (const [now, step] of script.entries()) {
          queue.startDelivery();
          if (step.kind === 'push')
            for (let count = 0; count < step.count; count += 1) {
              queue.push(max, seqAdd(max, LENGTH), now);
              max = seqAdd(max, LENGTH);
            }
          else if (step.kind === 'ack') {
            una = seqMin(seqAdd(una, step.at % 1000), max);
            queue.acknowledge(una, una);
          } else if (step.kind === 'sack')
            queue.sack(seqAdd(una, step.at), seqAdd(una, step.at + step.length), una);
          else if (step.kind === 'timeout') queue.markAllLost();
          else if (step.kind === 'split') queue.split(step.bytes);
          else if (queue.count > 0) {
            const record = queue.at(step.at % queue.count);
            if (step.kind === 'lose') queue.markLost(record);
            else if (!record.sacked) queue.markResent(record, now);
          }
          expect(queue.bytes).toBe(seqDiff(max, una));
          expect(queue.pipeBytes).toBe(pipeOf(queue));
          const lost = queue.nextLost(una);
          expect(lost !== undefined).toBe(queue.hasUnsentLosses);
          expect(step.kind === 'timeout' && queue.pipeBytes > 0).toBe(false);
        }
        queue.acknowledge(max, max);
        expect([queue.count, queue.bytes, queue.pipeBytes, queue.sackedBytes]).toEqual([
          0, 0, 0, 0,
        ]);
      }),
    );
  });
});

describe('the round trip estimator (RFC 6298)', () => {
  const limits = { initialRtoMs: 1000, minRtoMs: 200, maxRtoMs: 120_000 };

  test('the initial timeout, the first sample, the second', () => {
    const rtt = new RttEstimator(limits);
    expect(rtt.rtoMs).toBe(1000);
    rtt.sample(0, 500);
    expect([rtt.smoothedMs, rtt.varianceMs, rtt.rtoMs]).toEqual([500, 250, 1500]);
    rtt.sample(1, 100);
    expect([rtt.smoothedMs, rtt.varianceMs]).toEqual([450, 287.5]);
  });

  test('backs off to the maximum and back', () => {
    const rtt = new RttEstimator(limits);
    rtt.sample(0, 100);
    const base = rtt.rtoMs;
    rtt.backOff();
    expect(rtt.rtoMs).toBe(2 * base);
    for (let count = 0; count < 20; count += 1) rtt.backOff();
    expect(rtt.rtoMs).toBe(120_000);
    rtt.resetBackoff();
    expect(rtt.rtoMs).toBe(base);
  });

  test('the minimum is forgotten after five minutes', () => {
    const rtt = new RttEstimator(limits);
    rtt.sample(0, 10);
    rtt.sample(1000, 50);
    expect(rtt.minMs).toBe(10);
    rtt.sample(300_001, 50);
    expect(rtt.minMs).toBe(50);
  });
});

describe('congestion control', () => {
  const MSS = 1000;

  test.each([
    [1460, 14_600],
    [9000, 18_000],
    [536, 5360],
    [65_000, 130_000],
  ])('the initial window for %d (RFC 6928)', (mss, window) =>
    expect(initialWindow(mss)).toBe(window),
  );

  test('NewReno: doubles, then one segment a round, halves, starts over', () => {
    const reno = new NewReno(MSS);
    reno.onAcked(10 * MSS);
    expect(reno.windowBytes).toBe(20 * MSS);
    reno.onLoss(0, 20 * MSS);
    reno.windowBytes = reno.slowStartThresholdBytes;
    expect(reno.windowBytes).toBe(10 * MSS);
    reno.onAcked(10 * MSS);
    expect(reno.windowBytes).toBe(11 * MSS);
    reno.onTimeout(0, 11 * MSS, true);
    expect([reno.windowBytes, reno.slowStartThresholdBytes]).toEqual([MSS, 5500]);
    reno.onTimeout(0, MSS, false);
    expect(reno.slowStartThresholdBytes).toBe(5500);
  });

  /** The window after each second of acknowledged windows, one RTT of 100 ms each. */
  function grow(cubic: Cubic, seconds: number): number[] {
    const windows: number[] = [];
    for (let round = 1; round <= 10 * seconds; round += 1) {
      cubic.onAcked(cubic.windowBytes, round * 100, 100);
      if (round % 10 === 0) windows.push(Math.round(cubic.windowBytes / MSS));
    }
    return windows;
  }

  test('CUBIC: falls to 0.7, is back at the old window after K seconds, flat around it (RFC 9438 §4.2)', () => {
    const cubic = new Cubic(MSS);
    cubic.windowBytes = 1000 * MSS;
    cubic.onLoss(0, 1000 * MSS);
    expect(cubic.slowStartThresholdBytes).toBe(700 * MSS);
    cubic.windowBytes = cubic.slowStartThresholdBytes;
    const windows = grow(cubic, 12);
    // K = cbrt(300 / 0.4) = 9.09 s.
    const at = (second: number): number => windows[second - 1] ?? 0;
    expect(Math.abs(at(9) - 1000)).toBeLessThan(3);
    expect(at(2)).toBeGreaterThan(840);
    expect(at(10) - at(8)).toBeLessThan(8);
    expect(at(12)).toBeGreaterThan(1005);
  });

  test('CUBIC: releases more when its maximum shrank (fast convergence)', () => {
    const cubic = new Cubic(MSS);
    cubic.onLoss(0, 1000 * MSS);
    cubic.onLoss(1000, 500 * MSS);
    cubic.windowBytes = cubic.slowStartThresholdBytes;
    expect(cubic.windowBytes).toBe(350 * MSS);
    const windows = grow(cubic, 10);
    // The plateau is 0.85 of the last maximum, 425 segments, reached after cbrt(75 / 0.4) = 5.7 s.
    expect(Math.abs((windows[5] ?? 0) - 425)).toBeLessThan(8);
  });

  test('CUBIC: no worse than Reno on short paths (§4.3)', () => {
    const cubic = new Cubic(MSS);
    const reno = new NewReno(MSS);
    for (const control of [cubic, reno]) {
      control.onLoss(0, 20 * MSS);
      control.windowBytes = control.slowStartThresholdBytes;
    }
    for (let round = 1; round <= 200; round += 1) {
      cubic.onAcked(cubic.windowBytes, round, 1);
      reno.onAcked(reno.windowBytes);
    }
    expect(cubic.windowBytes).toBeGreaterThan(0.8 * reno.windowBytes);
  });

  test('both shrink to the initial window after idling, and never grow by it', () => {
    for (const control of [new Cubic(MSS), new NewReno(MSS)]) {
      control.windowBytes = 100 * MSS;
      control.onIdle();
      expect(control.windowBytes).toBe(10 * MSS);
      control.windowBytes = 2 * MSS;
      control.onIdle();
      expect(control.windowBytes).toBe(2 * MSS);
    }
  });
});

test('a token bucket allows its burst, then its rate', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 2 });
  expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([true, true, false]);
  expect([bucket.take(99), bucket.take(100), bucket.take(100)]).toEqual([false, true, false]);
});

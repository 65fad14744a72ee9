import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  COUNTER,
  FIELD,
  Mailbox,
  SIDE,
  SlotTable,
  SOCKADDR_FIELD,
} from '../../../../src/proxy/engine/linux/mailbox.ts';

const SLOTS = 6;

function table(): SlotTable {
  return new SlotTable(SlotTable.allocate(SLOTS), SLOTS);
}

function drained(mailbox: Mailbox): [slot: number, message: number][] {
  const messages: [number, number][] = [];
  mailbox.drain((slot, message) => messages.push([slot, message]));
  return messages;
}

test('whatever is posted arrives once, and in order on each slot', () => {
  const step = fc.oneof(
    fc.record({ slot: fc.nat(SLOTS - 1), message: fc.integer({ min: 1, max: 15 }) }),
    fc.constant('drain' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const mailbox = new Mailbox(table(), SIDE.worker);
      const posted = new Map<number, number[]>();
      const arrived = new Map<number, number[]>();
      const drain = (): void => {
        for (const [slot, message] of drained(mailbox))
          arrived.set(slot, [...(arrived.get(slot) ?? []), message]);
      };
      const waiting = new Map<number, number>();
      for (const event of steps) {
        if (event === 'drain' || (waiting.get(event.slot) ?? 0) === 8) {
          drain();
          waiting.clear();
        }
        if (event === 'drain') continue;
        mailbox.post(event.slot, event.message);
        waiting.set(event.slot, (waiting.get(event.slot) ?? 0) + 1);
        posted.set(event.slot, [...(posted.get(event.slot) ?? []), event.message]);
      }
      drain();
      expect(arrived).toEqual(posted);
      expect(mailbox.empty).toBe(true);
    }),
  );
});

test('a ninth message on a slot is refused rather than lost', () => {
  const mailbox = new Mailbox(table(), SIDE.main);
  for (let count = 0; count < 8; count += 1) mailbox.post(3, 15);
  expect(() => mailbox.post(3, 1)).toThrow('slot 3: more messages than the protocol has');
});

test('a slot is pending until its message has been handled', () => {
  const mailbox = new Mailbox(table(), SIDE.main);
  mailbox.post(2, 5);
  expect(mailbox.pending(2)).toBe(true);
  mailbox.drain((slot) => expect(mailbox.pending(slot)).toBe(true));
  expect(mailbox.pending(2)).toBe(false);
});

test('what is posted while draining is handed over too', () => {
  const mailbox = new Mailbox(table(), SIDE.main);
  mailbox.post(0, 1);
  const seen: [number, number][] = [];
  mailbox.drain((slot, message) => {
    seen.push([slot, message]);
    if (message < 3) mailbox.post(slot === 0 ? 1 : 0, message + 1);
  });
  expect(seen).toEqual([
    [0, 1],
    [1, 2],
    [0, 3],
  ]);
});

test('the two sides and the fields of neighbouring slots do not touch', () => {
  const shared = table();
  const [main, worker] = [new Mailbox(shared, SIDE.main), new Mailbox(shared, SIDE.worker)];
  const address = Int32Array.from([1, 2, 3, 4, 5, 6, 7]);
  for (let slot = 0; slot < SLOTS; slot += 1) {
    shared.set(slot, FIELD.generation, slot + 1);
    shared.setCount(slot, COUNTER.fromClient, slot * 2 ** 40);
    shared.storeSockaddr(
      slot,
      SOCKADDR_FIELD.target,
      address.map((word) => word + slot),
    );
    main.post(slot, 1);
    worker.post(slot, 2);
  }
  const copy = new Int32Array(7);
  for (let slot = 0; slot < SLOTS; slot += 1) {
    shared.copySockaddr(slot, SOCKADDR_FIELD.target, copy);
    expect(copy).toEqual(address.map((word) => word + slot));
    expect(shared.get(slot, FIELD.generation)).toBe(slot + 1);
    expect(shared.count(slot, COUNTER.fromClient)).toBe(slot * 2 ** 40);
  }
  expect(drained(main).every(([, message]) => message === 1)).toBe(true);
  expect(drained(worker)).toHaveLength(SLOTS);
});

import { expect, test } from 'vitest';
import { PacketPool } from '../../src/netstack/packet-pool.ts';

test('packets do not overlap, and an IP header behind an Ethernet header is aligned', () => {
  const pool = new PacketPool();
  const first = pool.allocate(101, 8);
  const second = pool.allocate(50, 8);
  expect(second.buffer).toBe(first.buffer);
  expect(second.byteOffset).toBeGreaterThanOrEqual(first.byteOffset + first.length);
  for (const packet of [first, second]) expect((packet.byteOffset + 8 + 14) % 4).toBe(0);
});

test('a slab begins anew when all its packets were given back, not before', () => {
  const pool = new PacketPool();
  const [first, second] = [pool.allocate(100, 8), pool.allocate(100, 8)];
  pool.release(second);
  const third = pool.allocate(100, 8);
  expect(third.byteOffset).toBeGreaterThan(second.byteOffset);
  pool.release(first);
  pool.release(third);
  expect(pool.allocate(100, 8).byteOffset).toBe(first.byteOffset);
});

test('packets of an earlier slab do not count', () => {
  const pool = new PacketPool();
  const old = pool.allocate(700_000, 0);
  const held = pool.allocate(700_000, 0);
  pool.release(old);
  const next = pool.allocate(100, 0);
  expect(next.buffer).toBe(held.buffer);
  expect(next.byteOffset).toBeGreaterThanOrEqual(held.byteOffset + held.length);
});

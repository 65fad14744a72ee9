import { expect, test } from 'vitest';
import { AdaptiveBuffer } from '../../../src/proxy/engine/adaptive-buffer.ts';
import { ReadBuffers, SMALL_BYTES } from '../../../src/proxy/engine/read-buffers.ts';

function read(buffer: AdaptiveBuffer, length: number): boolean {
  buffer.chunk(length);
  return buffer.taken(length);
}

test('grows while reads fill it, and shrinks when they have been small for long', () => {
  const buffer = new AdaptiveBuffer(new ReadBuffers());
  expect(buffer.bytes.length).toBe(SMALL_BYTES);
  const sizes: number[] = [];
  for (let reads = 0; reads < 8; reads += 1)
    if (read(buffer, buffer.bytes.length)) sizes.push(buffer.bytes.length);
  expect(sizes).toEqual([65_536, 1_048_576]);
  for (let reads = 0; reads < 31; reads += 1) expect(read(buffer, 100)).toBe(false);
  expect(read(buffer, 100)).toBe(true);
  expect(buffer.bytes.length).toBe(SMALL_BYTES);
});

test('one full read, or a middling one in between, makes no bulk', () => {
  const buffer = new AdaptiveBuffer(new ReadBuffers());
  for (let round = 0; round < 10; round += 1) {
    expect(read(buffer, SMALL_BYTES)).toBe(false);
    expect(read(buffer, SMALL_BYTES - 1)).toBe(false);
  }
});

test('a chunk is what was read, and the same object while sizes repeat', () => {
  const buffer = new AdaptiveBuffer(new ReadBuffers());
  buffer.bytes.fill(7);
  const chunk = buffer.chunk(3);
  expect([...chunk]).toEqual([7, 7, 7]);
  expect(buffer.chunk(3)).toBe(chunk);
  expect(buffer.chunk(SMALL_BYTES)).toBe(buffer.bytes);
});

test('stays as it is when there is nothing larger to lend', () => {
  const buffers = new ReadBuffers();
  const greedy = Array.from({ length: 200 }, () => new AdaptiveBuffer(buffers));
  for (const buffer of greedy)
    for (let reads = 0; reads < 4; reads += 1) read(buffer, buffer.bytes.length);
  const sizes = new Set(greedy.map(({ bytes }) => bytes.length));
  expect(sizes).toContain(1_048_576);
  expect(greedy.at(-1)?.bytes.length).toBeLessThan(1_048_576);
  const lent = greedy.reduce((sum, { bytes }) => sum + bytes.length, 0);
  expect(lent).toBeLessThan(130 << 20);
  for (const buffer of greedy) buffer.release();
  const next = new AdaptiveBuffer(buffers);
  for (let reads = 0; reads < 4; reads += 1) read(next, next.bytes.length);
  expect(next.bytes.length).toBe(1_048_576);
});

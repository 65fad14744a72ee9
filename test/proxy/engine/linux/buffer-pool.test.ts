import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { MADV_DONTNEED } from '../../../../src/base/linux/abi.ts';
import { probeLinux } from '../../../../src/base/linux/probe.ts';
import { BufferPool, type PoolMemory } from '../../../../src/proxy/engine/linux/buffer-pool.ts';
import { MappedMemory } from '../../../../src/proxy/engine/linux/mapped-memory.ts';

const SMALL = 4096;
const BIG = 65_536;
/** A period of the pool, twice what may lie idle. */
const PERIOD_BYTES = 2 << 20;

/** Memory as the kernel has it: which pages have something behind them. */
class FakeMemory implements PoolMemory {
  readonly pageBytes: number;
  readonly resident = new Set<number>();
  mapped = 0;
  discards = 0;
  readonly calls: PoolMemory['calls'] = {
    getpagesize: () => this.pageBytes,
    // As the kernel does: what does not begin with a page is refused, what does not end with one is rounded up.
    madvise: (at, bytes, advice) => {
      if (at % this.pageBytes !== 0 || advice !== MADV_DONTNEED) return -1;
      for (let page = at; page < at + bytes; page += this.pageBytes) this.resident.delete(page);
      this.discards += 1;
      return 0;
    },
  };
  #end = 0x7f00_0000_0000;

  constructor(pageBytes = 4096) {
    this.pageBytes = pageBytes;
  }

  get residentBytes(): number {
    return this.resident.size * this.pageBytes;
  }

  /** As mmap often does, each right below the one before. */
  map(bytes: number): { readonly address: number } {
    this.mapped += bytes;
    this.#end -= bytes;
    return { address: this.#end };
  }

  touch(buffer: number, bytes: number): void {
    const first = buffer - (buffer % this.pageBytes);
    for (let page = first; page < buffer + bytes; page += this.pageBytes) this.resident.add(page);
  }
}

function lend(pool: BufferPool, memory: FakeMemory, bytes: number, count: number): number[] {
  return Array.from({ length: count }, () => {
    const buffer = pool.take();
    memory.touch(buffer, bytes);
    return buffer;
  });
}

test.each([
  ['small', SMALL, 18_000],
  ['big', BIG, 1000],
])('memory of %s buffers goes back when a crowd has left', (_name, bytes, count) => {
  const memory = new FakeMemory();
  const pool = new BufferPool(memory, bytes);
  const lent = lend(pool, memory, bytes, count);
  expect(memory.residentBytes).toBe(count * bytes);
  for (const buffer of lent) pool.giveBack(buffer);
  expect(memory.residentBytes).toBeLessThanOrEqual(2 * PERIOD_BYTES);
});

test('neighbours go back together, in one call', () => {
  const memory = new FakeMemory();
  const pool = new BufferPool(memory, SMALL);
  for (const buffer of lend(pool, memory, SMALL, 18_000)) pool.giveBack(buffer);
  expect(memory.discards).toBeLessThan(100);
});

test('a load that comes and goes keeps its buffers', () => {
  const memory = new FakeMemory();
  const pool = new BufferPool(memory, SMALL);
  for (let round = 0; round < 1000; round += 1)
    for (const buffer of lend(pool, memory, SMALL, 100)) pool.giveBack(buffer);
  expect([memory.discards, memory.mapped]).toEqual([0, 1 << 20]);
});

test('the next crowd finds room in the addresses of the last', () => {
  const memory = new FakeMemory();
  const pool = new BufferPool(memory, SMALL);
  for (let crowd = 0; crowd < 3; crowd += 1)
    for (const buffer of lend(pool, memory, SMALL, 4096)) pool.giveBack(buffer);
  expect(memory.mapped).toBe(4096 * SMALL);
});

test.each([4096, 16_384, 65_536])(
  'with pages of %d bytes nobody is lent what another has, nor loses what is written there',
  (pageBytes) => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -2000, max: 2000 }), { maxLength: 12 }), (steps) => {
        const memory = new FakeMemory(pageBytes);
        const pool = new BufferPool(memory, SMALL);
        const lent: number[] = [];
        for (const step of steps) {
          if (step > 0) lent.push(...lend(pool, memory, SMALL, step));
          // From the middle, so that what stays is scattered.
          else for (const buffer of lent.splice(lent.length >> 2, -step)) pool.giveBack(buffer);
          expect(new Set(lent).size).toBe(lent.length);
          const lost = lent.filter((at) => !memory.resident.has(at - (at % pageBytes)));
          expect(lost).toEqual([]);
        }
      }),
      { numRuns: 50 },
    );
  },
);

const probe = probeLinux();
test.skipIf(probe.kind !== 'works')('the kernel takes the pages, and the addresses stay', () => {
  if (probe.kind !== 'works') return;
  const memory = new MappedMemory(probe.linux);
  const { linux } = memory;
  const { calls } = linux;
  const source = linux.map(SMALL);
  new Uint8Array(source.buffer).fill(1);
  const pool = new BufferPool(linux, SMALL);
  const lent = Array.from({ length: 2048 }, () => pool.take());
  for (const buffer of lent) calls.memcpy(buffer, source.address, SMALL);
  for (const buffer of lent) pool.giveBack(buffer);
  const bytes = new Uint8Array(source.buffer);
  const kept = lent.filter((buffer) => {
    calls.memcpy(source.address, buffer, SMALL);
    return bytes[0] === 1;
  });
  memory.release();
  expect(kept.length).toBeLessThanOrEqual((2 * PERIOD_BYTES) / SMALL);
});

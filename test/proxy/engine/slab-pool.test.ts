import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SlabPool } from '../../../src/proxy/engine/slab-pool.ts';

const OPTIONS = { pieceBytes: 16, slabBytes: 64, maxSpareSlabs: 1 };

test('memory goes back when a crowd has left, but for a spare slab', () => {
  const pool = new SlabPool(OPTIONS);
  const lent = Array.from({ length: 40 }, () => pool.take());
  expect(pool.slabs).toBe(10);
  for (const piece of lent) pool.giveBack(piece);
  expect(pool.slabs).toBe(1);
});

test('one piece on loan keeps its slab only', () => {
  const pool = new SlabPool(OPTIONS);
  const [kept, ...others] = Array.from({ length: 40 }, () => pool.take());
  for (const piece of others) pool.giveBack(piece);
  expect([kept?.length, pool.slabs]).toEqual([16, 2]);
});

test('nobody is lent what another has, and pieces on loan need no more slabs than they fill', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 200 }), (choices) => {
      const pool = new SlabPool(OPTIONS);
      const lent: { piece: Uint8Array; mark: number }[] = [];
      let mark = 0;
      let most = 0;
      let spoiled = 0;
      const check = ({ piece, mark: own }: { piece: Uint8Array; mark: number }): void => {
        if (!piece.every((byte) => byte === own)) spoiled += 1;
      };
      for (const choice of choices) {
        const victim = choice < 4 ? lent.splice(choice % (lent.length || 1), 1)[0] : undefined;
        if (victim !== undefined) {
          check(victim);
          pool.giveBack(victim.piece);
        } else {
          mark = (mark + 1) % 256;
          lent.push({ piece: pool.take().fill(mark), mark });
          most = Math.max(most, lent.length);
        }
        expect(pool.slabs).toBeLessThanOrEqual(Math.ceil(most / 4) + OPTIONS.maxSpareSlabs);
      }
      for (const loan of lent) check(loan);
      expect(spoiled).toBe(0);
    }),
  );
});

// Hashes and tables computed by an independent model that predicts every kernel recording.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { foldAddress, hash32, hsiphash } from '../../../src/proxy/ipvs/hashing.ts';
import type { DecisionTrace } from '../../../src/proxy/ipvs/decision-trace.ts';
import { MaglevHashing } from '../../../src/proxy/ipvs/schedulers/mh.ts';
import type { SchedulerName } from '../../../src/proxy/ipvs/schedulers/registry.ts';
import { socketAddress } from '../../vectors/services.ts';
import { director, WEB } from './director.ts';

interface KnownAnswers {
  hash_32: { cases: { v: number; bits: number; result: number }[] };
  sh_bucket: { src: string; port: number; folded: string; bucket: number }[];
  dh_bucket: { dst: string; bucket: number }[];
  mh_hsiphash: { K1: number; K2: number; cases: { v: number; K1: number; K2: number }[] };
  mh_lookup_slot: { src: string; port: number; slot: number }[];
  mh_dest_setup: { dest: string; offset: number; skip: number }[];
  mh_tables: {
    added_in_order: [string, number][];
    slots: Record<string, number>;
    first_16: string[];
    sha256_of_names_joined_by_newline: string;
  }[];
  bucket_tables: {
    scheduler: SchedulerName;
    added_in_order: [string, number][];
    first_24: string[];
    last_4: string[];
  }[];
}

const file = join(import.meta.dirname, '../../vectors/ipvs-known-answers.json');
const known = JSON.parse(readFileSync(file, 'utf8')) as KnownAnswers;

describe('hashes', () => {
  test.each(known.hash_32.cases)('hash_32 of $v to $bits bits', ({ v, bits, result }) => {
    expect(hash32(v, bits)).toBe(result);
  });

  test.each(known.mh_hsiphash.cases)('hsiphash of $v', ({ v, K1, K2 }) => {
    expect(hsiphash(known.mh_hsiphash.K1, v)).toBe(K1);
    expect(hsiphash(known.mh_hsiphash.K2, v)).toBe(K2);
  });

  test.each(known.mh_dest_setup)('permutation of $dest', ({ dest, offset, skip }) => {
    const { address, port } = socketAddress(dest);
    const value = (foldAddress(address) + port) >>> 0;
    expect(hsiphash(known.mh_hsiphash.K1, value) % 4093).toBe(offset);
    expect((hsiphash(known.mh_hsiphash.K2, value) % 4092) + 1).toBe(skip);
  });
});

/** The slot a scheduler looks at, as it tells it. */
function slotOf(
  scheduler: SchedulerName,
  source: { address: string; port: number },
  destination = '10.96.0.1',
): { slot: number; owner: string | undefined } {
  const { ipvs } = director(scheduler, [1], {
    settings: { schedulerFlags: { port: true, fallback: false } },
  });
  const trace: DecisionTrace = [];
  const packet = { source, destination: { address: destination, port: 80 } };
  ipvs.service(WEB)?.scheduler.schedule(packet, trace);
  const step = trace.find((one) => one.kind === 'hash');
  return { slot: step?.slot ?? -1, owner: step?.owner };
}

describe('where a packet is looked up', () => {
  test.each(known.sh_bucket)('sh: $src port $port', ({ src, port, folded, bucket }) => {
    expect(foldAddress(src)).toBe(Number(folded));
    expect(slotOf('sh', { address: src, port }).slot).toBe(bucket);
  });

  test.each(known.dh_bucket)('dh: $dst', ({ dst, bucket }) => {
    expect(slotOf('dh', { address: '10.1.0.1', port: 1 }, dst).slot).toBe(bucket);
  });

  test.each(known.mh_lookup_slot)('mh: $src port $port', ({ src, port, slot }) => {
    expect(slotOf('mh', { address: src, port }).slot).toBe(slot);
  });
});

describe('tables', () => {
  test.each(known.mh_tables)('mh of $added_in_order', (answer) => {
    const { ipvs } = director('mh', []);
    for (const [dest, weight] of answer.added_in_order)
      ipvs.addDestination(WEB, socketAddress(dest), { weight });
    const scheduler = ipvs.service(WEB)?.scheduler;
    if (!(scheduler instanceof MaglevHashing)) throw new Error('mh is MaglevHashing');
    const names = scheduler.slots.map((one) => one?.name ?? '');
    expect(names.slice(0, 16)).toEqual(answer.first_16);
    for (const [name, count] of Object.entries(answer.slots))
      expect(names.filter((one) => one === name)).toHaveLength(count);
    expect(createHash('sha256').update(names.join('\n')).digest('hex')).toBe(
      answer.sha256_of_names_joined_by_newline,
    );
  });

  test.each(known.bucket_tables)('$scheduler of $added_in_order', (answer) => {
    const { ipvs } = director(answer.scheduler, []);
    for (const [dest, weight] of answer.added_in_order)
      ipvs.addDestination(WEB, socketAddress(dest), { weight });
    const owners = new Map<number, string | undefined>();
    // Enough addresses, as client and as virtual address, to meet each of the 256 buckets.
    for (let index = 0; index < 4096; index += 1) {
      const address = `10.9.${index >> 8}.${index & 255}`;
      const trace: DecisionTrace = [];
      const end = { address, port: 80 };
      ipvs.service(WEB)?.scheduler.schedule({ source: end, destination: end }, trace);
      for (const step of trace) if (step.kind === 'hash') owners.set(step.slot, step.owner);
    }
    const table = Array.from({ length: 256 }, (_, bucket) => owners.get(bucket));
    expect(table.slice(0, 24)).toEqual(answer.first_24);
    expect(table.slice(-4)).toEqual(answer.last_4);
  });
});

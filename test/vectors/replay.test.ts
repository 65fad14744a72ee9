// Every recording of a real kernel's ip_vs, replayed in virtual time: results, errors, counters, states.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kernelBehaviour } from '../../src/proxy/ipvs/kernel.ts';
import { judgeEvents, judgeTrace } from './judge.ts';
import { readTrace } from './trace.ts';

const DIRECTORY = join(import.meta.dirname, 'ipvs');
const names = readdirSync(DIRECTORY).filter((name) => name.endsWith('.json'));

test('the recordings are there', () => {
  expect(names.length).toBeGreaterThan(100);
});

describe('kernel recording', () => {
  test.each(names)('%s', async (name) => {
    expect(await judgeTrace(readTrace(join(DIRECTORY, name)))).toBeUndefined();
  });
});

test('where no kernel differs, the older generation does the same', async () => {
  const older = kernelBehaviour('6.1.176');
  if (older === undefined) throw new Error('6.1.176 is a version');
  for (const name of names) {
    const trace = readTrace(join(DIRECTORY, name));
    if (trace.random === true || trace.other_kernels !== undefined) continue;
    expect({ name, difference: await judgeEvents(trace, trace.events, older) }).toEqual({ name });
  }
});

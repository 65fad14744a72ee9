import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { registerBench } from '../../src/cli/bench.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podwire-bench-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function podwire(...words: string[]): Promise<string> {
  const lines: string[] = [];
  const program = new Command('podwire').exitOverride();
  registerBench(program, {
    out: (text) => lines.push(text),
    err: () => {},
    write: async () => {},
    closed: new AbortController().signal,
  });
  await program.parseAsync(['bench', ...words], { from: 'user' });
  return lines.join('\n');
}

test('bench list names scenarios with their questions, and algorithms', async () => {
  const text = await podwire('list');
  expect(text).toMatch(/^slow-backend +One of ten pods is six times slower/m);
  expect(text).toMatch(/^ipvs-lc +IPVS lc: least connections/m);
});

test('bench run prints a table and writes a report that a later run is compared with', async () => {
  const run = ['run', 'validation', '--algorithms', 'ipvs-rr,ipvs-lc', '--seeds', '2'];
  const first = await podwire(...run, '--out', folder);
  expect(first).toMatch(/^ipvs-lc +\d/m);
  expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain('<!doctype html>');
  const second = await podwire(...run, '--compare', join(folder, 'results.json'));
  expect(second).toContain('Nothing changed beyond the confidence intervals.');
});

test('mistakes are told before anything runs', async () => {
  await expect(podwire('run', 'nope')).rejects.toThrow('no scenario nope');
  await expect(podwire('run', 'validation', '--algorithms', 'best')).rejects.toThrow(
    'no algorithm best; there are iptables, ',
  );
});

test.each([
  [['--algorithms', ''], 'must be names with a comma between'],
  [['--algorithms', 'p2c,jsq,p2c'], 'p2c is there twice'],
  [['--seeds', '0'], 'must be a whole number above 0'],
  [['--compare', '/nowhere/results.json'], '--compare: cannot read /nowhere/results.json'],
  [['--out', '/dev/null/report'], '--out: no folder can be had at /dev/null/report'],
])('%j is refused', async (words, message) => {
  const run = podwire('run', 'slow-backend', '--seeds', '1000', ...words);
  await expect(run).rejects.toThrow(message);
});

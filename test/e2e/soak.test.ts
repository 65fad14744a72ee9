// The short form of `npm run bench:soak`: idle connections and a stream of new ones leave nothing behind.
import { expect, test } from 'vitest';
import { join } from 'node:path';
import { finished } from './support/podwire.ts';

const SCRIPT = join(import.meta.dirname, '../../bench/forward/soak.bench.ts');
/** If nothing were given back of 2,500 connections, memory would grow by a third. */
const LOAD = ['--idle', '1000', '--rate', '500', '--seconds', '5', '--growth', '20'];

test.each(['net', 'handle', 'epoll', 'uring'])(
  'the engine %s serves a stream of connections beside idle ones and keeps nothing of them',
  async (engine) => {
    const argv = ['--import', 'tsx', SCRIPT, '--engine', engine, ...LOAD];
    const { code, stdout } = await finished(process.execPath, argv);
    expect(stdout).toMatch(/"connections":2500,"errors":0/);
    expect(stdout).toMatch(/^PASS$/m);
    expect(code).toBe(0);
  },
);

// A cluster that has carried traffic ends, whatever moved its bytes: no socket is left that the process would wait for.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { MAIN } from './support/podwire.ts';

const LIMIT_MS = 120_000;
/** It hung every other time while a reset could lose a socket. */
const RUNS = 4;

test.each(['net', 'handle', 'epoll', 'uring'])(
  'podwire demo ends by itself on the engine %s',
  async (engine) => {
    for (let run = 0; run < RUNS; run += 1) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [MAIN, 'demo', '--engine', engine],
        { timeout: LIMIT_MS, killSignal: 'SIGKILL' },
      );
      expect(stdout).toContain('300 requests to');
    }
  },
  RUNS * LIMIT_MS,
);

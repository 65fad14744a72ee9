import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ProcessRuntime } from '../../src/node/runtime/process-runtime.ts';
import { containerSpec } from '../node/support/container-spec.ts';

const runtime = new ProcessRuntime(systemClock);
const env = { PATH: process.env['PATH'] ?? '' };

/** A killed orphan may stay a zombie until init reaps it: that is dead enough. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

test('output, environment and exit code come through', async () => {
  const spec = containerSpec({
    command: ['sh', '-c', 'echo "$GREETING"; echo oops >&2; exit 3'],
    env: { ...env, GREETING: 'hello' },
  });
  const handle = await runtime.start(spec);
  expect(await handle.exited).toEqual({ exitCode: 3, reason: 'Error' });
  expect(spec.output.lines.map(({ stream, text }) => `${stream}: ${text}`).toSorted()).toEqual([
    'stderr: oops',
    'stdout: hello',
  ]);
});

test('stopping sends SIGTERM first', async () => {
  const spec = containerSpec({
    command: ['sh', '-c', 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done'],
    env,
  });
  const handle = await runtime.start(spec);
  await new Promise<void>((resolve) =>
    spec.output.follow({
      onLine: ({ text }) => text === 'up' && resolve(),
      onEnd: () => undefined,
    }),
  );
  await handle.stop(60_000);
  expect(await handle.exited).toMatchObject({ exitCode: 0 });
  expect(spec.output.lines.at(-1)?.text).toBe('bye');
});

test('what ignores SIGTERM is killed, with everything it started', async () => {
  const spec = containerSpec({
    command: ['sh', '-c', 'trap "" TERM; sleep 1000 & echo $!; wait; sleep 1000'],
    env,
  });
  const handle = await runtime.start(spec);
  const grandchild = await new Promise<number>((resolve) =>
    spec.output.follow({
      onLine: ({ text }) => resolve(Number(text)),
      onEnd: () => undefined,
    }),
  );
  await handle.stop(50);
  expect(await handle.exited).toEqual({ exitCode: 137, signal: 9, reason: 'Error' });
  // Killed at the same moment, but the system may be a moment later in ending it.
  await expect.poll(() => isAlive(grandchild), { timeout: 60_000 }).toBe(false);
});

test('exec runs beside it and is cut off at its timeout', async () => {
  const handle = await runtime.start(containerSpec({ command: ['sleep', '1000'], env }));
  expect(await handle.exec?.(['sh', '-c', 'echo ok; exit 7'], 60_000)).toEqual({
    exitCode: 7,
    output: 'ok\n',
  });
  expect(await handle.exec?.(['sleep', '1000'], 50)).toMatchObject({ exitCode: 137 });
  expect(await handle.exec?.(['no-such-program'], 50)).toMatchObject({ exitCode: 126 });
  await handle.stop(0);
});

test('a program that does not exist cannot run', async () => {
  await expect(runtime.start(containerSpec({ command: ['no-such-program'], env }))).rejects.toThrow(
    'exec: "no-such-program": executable file not found in $PATH',
  );
});

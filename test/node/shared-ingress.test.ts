import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { SharedIngress } from '../../src/node/shared-ingress.ts';
import { withoutKoffi } from '../support/with-koffi.ts';

test('each start without the fast engine is one line in the log and one problem', async () => {
  const lines: string[] = [];
  const sink = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(line.toString());
      done();
    },
  });
  const problems: string[] = [];
  for (let start = 1; start <= 2; start += 1) {
    const ingress = withoutKoffi(
      () =>
        new SharedIngress({
          clock: new ManualClock(),
          log: pino(sink),
          engine: 'auto',
          engineThreads: 1,
          events: { problem: () => {}, solved: () => {} },
          onEngineProblem: (problem) => problems.push(problem),
        }),
    );
    await ingress.close();
    expect(problems).toHaveLength(start);
    expect(problems.at(-1)).toMatch(/the engine "handle" is used.*Cannot find module 'koffi'/);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      problems.map((reason) =>
        expect.objectContaining({ level: 40, reason, msg: 'slower forwarding' }),
      ),
    );
  }
});

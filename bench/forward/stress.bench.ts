// Violence against an engine for a bounded time: see test/conformance/engine/violence.ts. Ends with what was corrupted
// or truncated, which descriptors were left open, and which counters disagree; all must be none.
//
//   npx tsx bench/forward/stress.bench.ts [--engine epoll] [--seconds 600] [--connections 2000] [--threads 1] [--seed 1]
//
// Clients, servers and engine share one process, so `ulimit -n` must allow six descriptors a connection.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/base/clock.ts';
import { createEngine, ENGINE_CHOICES } from '../../src/proxy/engine/create-engine.ts';
import { violence } from '../../test/conformance/engine/violence.ts';

const REPORT_EVERY = 20_000;
/** What a process opens with its first connections, such as an epoll instance of its own, is no leak. */
const WARM_UP_DIALOGUES = 50;
const SETTLE_MS = 2000;

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'epoll' },
    seconds: { type: 'string', default: '30' },
    connections: { type: 'string', default: '200' },
    threads: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
});
await main();

async function main(): Promise<void> {
  const choice = ENGINE_CHOICES.find((name) => name === values.engine);
  if (choice === undefined) throw new Error(`no engine is called ${values.engine}`);
  const connections = Number(values.connections);
  const before = openDescriptors();
  const fallbacks: string[] = [];
  const engine = createEngine({
    clock: systemClock,
    choice,
    threads: Number(values.threads),
    onFallback: (reason) => fallbacks.push(reason),
  });
  const { seed } = values;
  await violence({ engine, connections: 10, seed, goOn: (count) => count < WARM_UP_DIALOGUES });
  const deadline = systemClock.now() + Number(values.seconds) * 1000;
  const report = await violence({
    engine,
    connections,
    seed,
    goOn: (count) => {
      if (count % REPORT_EVERY === 0 && count > 0)
        console.log(
          `${count} dialogues, RSS ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`,
        );
      return systemClock.now() < deadline;
    },
  });
  await engine.close();
  const leaked = (await settledDescriptors(before)) - before;
  const { counters } = engine;
  console.log(JSON.stringify({ engine: engine.name, ...report, leaked, fallbacks, ...counters }));
  const wrong = report.corrupt + report.truncated + report.lost + counters.active;
  if (wrong + fallbacks.length > 0 || leaked > 0) process.exitCode = 1;
}

/** What is open once it is no more than `expected`, or still is after a while: then it leaks. */
async function settledDescriptors(expected: number): Promise<number> {
  const deadline = systemClock.now() + SETTLE_MS;
  while (openDescriptors() > expected && systemClock.now() < deadline)
    await new Promise((resolve) => setImmediate(resolve));
  return openDescriptors();
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

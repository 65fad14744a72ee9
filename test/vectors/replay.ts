// npm run vectors -- DIR: replays every trace in DIR and exits 1 when one differs.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { judgeTrace } from './judge.ts';
import { readTrace } from './trace.ts';

async function main(directory: string): Promise<boolean> {
  const names = readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .toSorted();
  let failed = 0;
  for (const name of names) {
    const failure = await failureOf(join(directory, name));
    if (failure === undefined) continue;
    failed += 1;
    process.stdout.write(`FAIL ${name}: ${failure}\n`);
  }
  process.stdout.write(`${names.length - failed} passed, ${failed} failed\n`);
  return failed === 0 && names.length > 0;
}

async function failureOf(path: string): Promise<string | undefined> {
  try {
    const difference = await judgeTrace(readTrace(path));
    if (difference === undefined) return undefined;
    const { index, what, event, expected, actual } = difference;
    return [
      `event ${index}: ${what}`,
      `  event    ${JSON.stringify(event)}`,
      `  expected ${JSON.stringify(expected)}`,
      `  actual   ${JSON.stringify(actual)}`,
    ].join('\n');
  } catch (error) {
    return String(error);
  }
}

const directory = process.argv[2];
if (directory === undefined) {
  process.stderr.write('usage: npm run vectors -- DIR   (a directory of trace files)\n');
  process.exitCode = 2;
} else if (!(await main(directory))) process.exitCode = 1;

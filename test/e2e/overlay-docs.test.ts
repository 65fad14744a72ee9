// The examples of docs/overlay.md run as they stand, and print what it says apart from what differs from run to run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Example, examples, expectShown } from './support/examples.ts';
import { finished, MAIN, ROOT, RunningUp } from './support/podwire.ts';

const START = 'npx podwire up ';
const [up, ...others] = examples(readFileSync(join(ROOT, 'docs/overlay.md'), 'utf8'));

/** MACs, the pods' subnets, and what was counted. */
function withoutChance(line: string): string {
  return line
    .replaceAll(/\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/g, 'MAC')
    .replaceAll(/\b127\.244\.\d+\./g, 'SUBNET.')
    .replace(/^(sent|received|connections|receive buffer)\b.*/, '$1 SO MUCH')
    .replaceAll(/(?<=^\s*127\.18\.\d+\.\d+\b.*|^[\s\d]*)(?<=\s)\d+(?=\s|$)/g, 'N')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** The built command, with the kubeconfig of the test's cluster before what belongs to a command on a node. */
function inCluster(command: string, kubeconfig: string): string {
  const where = `--kubeconfig ${kubeconfig}`;
  const given = command.startsWith('npx podwire node exec ')
    ? command.replace('node exec', `node exec ${where}`)
    : `${command} ${where}`;
  return given.replace('npx podwire', `'${process.execPath}' '${MAIN}'`);
}

describe('the cluster of docs/overlay.md', () => {
  let cluster: RunningUp | undefined;

  beforeAll(async () => {
    cluster = await RunningUp.start((up?.command ?? '').slice(START.length).split(' '));
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  test('is the first example, and others follow', () => {
    expect(up?.command.startsWith(START)).toBe(true);
    expect(others.length).toBeGreaterThan(8);
  });

  // In their order: some change what the next ones see.
  test.each(others.map((example): [string, Example] => [example.command, example]))(
    '$ %s',
    async (command, example) => {
      const line = inCluster(command, cluster?.kubeconfig ?? '');
      const runOnce = async (): Promise<void> => {
        const { code, stdout, stderr } = await finished('sh', ['-c', line]);
        expect({ code, said: code === 0 ? '' : stderr }).toEqual({ code: 0, said: '' });
        expectShown(stdout, example, withoutChance);
      };
      // A node hears of the others' changes a moment after whoever made them.
      if (command.includes('node exec')) await vi.waitFor(runOnce, { timeout: 60_000 });
      else await runOnce();
    },
  );
});

// Every example of the README and of docs/dns.md runs as it stands, and prints what the page says apart from what differs from run to run.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examples, expectShown } from './support/examples.ts';
import { finished, has, RunningUp } from './support/podwire.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Names and addresses that are drawn anew each time, source ports, and the padding that follows their length. */
function withoutChance(line: string): string {
  return line
    .replaceAll(/(RemoteAddr:) [\d.]+:\d+/g, '$1 SOURCE')
    .replaceAll(/-[a-z0-9]{8,10}-[a-z0-9]{5}\b/g, '-HASH-ID')
    .replaceAll(/\b127\.96\.\d+\.\d+\b/g, 'CLUSTER-IP')
    .replaceAll(/\b127\.244\.\d+\.\d+\b/g, 'POD-IP')
    .replaceAll(/\bnode-\d\b/g, 'NODE')
    .replaceAll(/<none>\s+(?:\d+[hms])+/g, '<none> AGE')
    .replaceAll(/\s+/g, ' ')
    .replace(/^(NODE 127\.18\S+ \S+) \d+ ?$/, '$1 PODS')
    .trim();
}

const all = ['README.md', 'docs/dns.md'].flatMap((file) =>
  examples(readFileSync(join(ROOT, file), 'utf8')),
);
const startsCluster = all.findIndex(({ command }) => command.startsWith('npx podwire up'));
const [before, [up, ...after]] = [all.slice(0, startsCluster), all.slice(startsCluster)];

test('the README has examples, and one that starts a cluster', () => {
  expect(all.length).toBeGreaterThan(5);
  expect(up).toBeDefined();
});

/** The packages are installed where the test runs. */
function runnable(command: string): string {
  return command.replace('npm ci && ', '');
}

/** The test's cluster has a kubeconfig of its own. */
function inCluster(command: string, kubeconfig: string): string {
  const named = command.replace('~/.podwire/kubeconfig', kubeconfig);
  return named.startsWith('npx podwire dns') ? `${named} --kubeconfig ${kubeconfig}` : named;
}

async function runShell(command: string): Promise<string> {
  const { stdout, stderr } = await finished('sh', ['-c', runnable(command)]);
  return `${stdout}\n${stderr}`;
}

describe('before a cluster runs', () => {
  test.each(before.map((example) => [example.command, example] as const))(
    '%s',
    async (_, example) => expectShown(await runShell(example.command), example, withoutChance),
  );
});

describe('with the cluster the README starts', () => {
  let cluster: RunningUp | undefined;

  beforeAll(async () => {
    const [, , , ...args] = (up?.command ?? '').split(' ');
    cluster = await RunningUp.start(args);
  });

  afterAll(async () => {
    await cluster?.stop();
  });

  test('it tells what there is', () => {
    const started = up ?? { command: '', output: ['a command'] };
    expectShown(cluster?.output ?? '', started, withoutChance);
  });

  for (const example of after) {
    const program = ['dig', 'curl', 'kubectl'].find((name) => example.command.includes(name));
    test.skipIf(program !== undefined && !has(program))(`$ ${example.command}`, async () =>
      expectShown(
        await runShell(inCluster(example.command, cluster?.kubeconfig ?? '')),
        example,
        withoutChance,
      ),
    );
  }
});

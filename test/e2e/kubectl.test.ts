// Sessions with real kubectls, oldest and newest: every script of the folder kubectl/ prints what a real cluster prints, apart
// from names, ages and addresses. Skipped where a kubectl cannot be had.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { expectedLike, parseScript } from '../support/console-script.ts';
import { type KubectlProgram, KUBECTLS } from './kubectl/kubectl-programs.ts';
import { fits, KubectlSession, play } from './kubectl/kubectl-session.ts';
import { RunningUp } from './support/podwire.ts';

const SCRIPTS = join(import.meta.dirname, 'kubectl');

/** `# up: ARGS` in a script: how its cluster is started. */
function clusterArgs(text: string): string[] {
  return (/^# up: (.*)$/m.exec(text)?.[1] ?? '--nodes 2').split(' ');
}

/** What the script's commands print and what they should print, where that is not the same. */
async function playScript(name: string, { path: program = '', version }: KubectlProgram) {
  const text = readFileSync(join(SCRIPTS, name), 'utf8');
  const cluster = await RunningUp.start(clusterArgs(text));
  const session = new KubectlSession(program, cluster.kubeconfig);
  const printed: string[] = [];
  const expected: string[] = [];
  try {
    for (const step of parseScript(text, version)) {
      const outcome = await play(session, step);
      if (fits(step, outcome)) continue;
      const title = `${name}:${step.line}: ${step.command}`;
      const shouldPrint = expectedLike(step, outcome.printed).join('\n');
      printed.push(`${title}\n${outcome.printed.trimEnd()}\n[${outcome.code}]`);
      expected.push(`${title}\n${shouldPrint}\n[${step.exitCode}]`);
    }
  } finally {
    session[Symbol.dispose]();
    await cluster.stop('SIGKILL');
  }
  return { printed, expected };
}

const scripts = readdirSync(SCRIPTS).filter((name) => name.endsWith('.txt'));

describe.each(KUBECTLS)('kubectl $version', (program) => {
  test.skipIf(program.path === undefined).each(scripts)(
    '%s',
    { timeout: 600_000 },
    async (name) => {
      const { printed, expected } = await playScript(name, program);
      expect(printed).toEqual(expected);
    },
  );
});

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { PodwireError } from '../../base/errors.ts';
import type { AlgorithmResult } from '../report/result.ts';
import type { Scenario } from '../scenario/scenario.ts';
import type { NamespaceOrder, NamespaceReply } from './namespace-process.ts';
import { inNewNamespace } from './namespace-command.ts';
import { endChild } from './proxy-under-test.ts';
import { loaderFlags, siblingModule } from './sibling-module.ts';

/** Runs a contender with all that it needs in a namespace of its own; `contender` is known there by name. */
export async function runInNamespace(
  scenario: Scenario,
  contender: string,
  repetitions: {
    readonly seed: string;
    readonly seeds: number;
    readonly redos: number;
    onRepetition(done: number, again: boolean): void;
  },
): Promise<AlgorithmResult> {
  const path = siblingModule(import.meta.url, 'namespace-process');
  const [execPath = '', ...execArgv] = inNewNamespace([process.execPath, ...loaderFlags(path)]);
  const child = fork(path, { execPath, execArgv, serialization: 'advanced' });
  const { seed, seeds, redos } = repetitions;
  const order: NamespaceOrder = { scenario, contender, seed, seeds, redos };
  try {
    child.send(order);
    const exit = once(child, 'exit').then(([code]): NamespaceReply => {
      return { kind: 'failed', reason: `the namespace ended with code ${code}` };
    });
    const outcome = new Promise<NamespaceReply>((resolve) => {
      child.on('message', (reply: NamespaceReply) => {
        if (reply.kind === 'repetition') repetitions.onRepetition(reply.done, reply.again);
        else resolve(reply);
      });
    });
    const reply = await Promise.race([outcome, exit]);
    if (reply.kind === 'result') return reply.result;
    const reason = reply.kind === 'failed' ? reply.reason : '';
    throw new PodwireError('ERR_BENCH_LIVE', `${contender} could not run: ${reason}`);
  } finally {
    await endChild(child);
  }
}

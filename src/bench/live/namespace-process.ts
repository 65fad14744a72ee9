// Entry of a run inside a network namespace: backends, clients and rules are of this process and its children,
// and the namespace goes with them.
import { systemClock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { AlgorithmResult } from '../report/result.ts';
import { runContender } from '../run/run-contender.ts';
import { planOf } from '../scenario/plan.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { kernelContender } from './kernel-rules.ts';

export interface NamespaceOrder {
  readonly scenario: Scenario;
  readonly contender: string;
  readonly seed: string;
  readonly seeds: number;
  readonly redos: number;
}

export type NamespaceReply =
  | { readonly kind: 'repetition'; readonly done: number; readonly again: boolean }
  | { readonly kind: 'result'; readonly result: AlgorithmResult }
  | { readonly kind: 'failed'; readonly reason: string };

process.on('disconnect', () => process.exit());
// Who started it may have ended before anybody listened here.
if (!process.connected) process.exit();
process.once('message', (order: NamespaceOrder) => {
  void follow(order).then(reply);
});

async function follow(order: NamespaceOrder): Promise<NamespaceReply> {
  const { scenario, seed, seeds, redos } = order;
  const contender = kernelContender(order.contender);
  if (contender === undefined) return { kind: 'failed', reason: `no ${order.contender} here` };
  const onRepetition = (done: number, again: boolean): void =>
    reply({ kind: 'repetition', done, again });
  const repetitions = { seed, seeds, redos, onRepetition };
  try {
    const result = await runContender(planOf(scenario), contender, repetitions, systemClock);
    return { kind: 'result', result };
  } catch (error) {
    return { kind: 'failed', reason: errorMessage(error) };
  }
}

function reply(message: NamespaceReply): void {
  process.send?.(message);
}

import type { Algorithm } from '../algorithms/balancer.ts';
import type { ScenarioResult } from '../report/result.ts';
import { planOf } from '../scenario/plan.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { simulate } from '../sim/simulation.ts';
import { type SeededRun, summarise } from './summarise.ts';

/** One step of a long run is over. */
export interface Progress {
  readonly scenario: string;
  readonly algorithm: string;
  readonly done: number;
  readonly total: number;
}

export interface RunOptions {
  readonly algorithms: readonly Algorithm[];
  /** Repetition k runs with `<seed>/<k>`; all algorithms with the same ones. */
  readonly seed: string;
  readonly seeds: number;
  /** Called between steps; the run goes on when it resolves, or stops when it rejects. */
  onProgress(progress: Progress): Promise<void>;
}

/** Simulates every algorithm with every seed. */
export async function runSimulated(
  scenario: Scenario,
  options: RunOptions,
): Promise<ScenarioResult> {
  const plan = planOf(scenario);
  const total = options.algorithms.length * options.seeds;
  let done = 0;
  const algorithms = [];
  for (const algorithm of options.algorithms) {
    const runs: SeededRun[] = [];
    for (let repetition = 1; repetition <= options.seeds; repetition += 1) {
      const seed = `${options.seed}/${repetition}`;
      await options.onProgress({ scenario: scenario.name, algorithm: algorithm.name, done, total });
      runs.push({ seed, recorder: simulate(plan, algorithm, seed) });
      done += 1;
    }
    algorithms.push(summarise(plan, algorithm, runs));
  }
  return { scenario, engine: 'sim', algorithms };
}

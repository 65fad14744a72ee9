import type { Clock } from '../../base/clock.ts';
import { BackendFarm } from '../live/backend-farm.ts';
import type { StartableContender } from '../live/contender.ts';
import { LoadGenerator } from '../live/load-generator.ts';
import { type Slip, slipOf, togetherSlip } from '../live/slip.ts';
import type { AlgorithmResult } from '../report/result.ts';
import type { Plan } from '../scenario/plan.ts';
import { Recorder } from '../stats/recorder.ts';
import { LiveChanges } from './live-changes.ts';
import { type SeededRun, summarise } from './summarise.ts';
import { untilQuiet } from './until-quiet.ts';

export interface Repetitions {
  /** Repetition k runs with `<seed>/<k>`. */
  readonly seed: string;
  readonly seeds: number;
  /** How many may be run once more because the machine was disturbed. */
  readonly redos: number;
  /** Called before each; `done` are over. `again`: the machine was disturbed. */
  onRepetition(done: number, again: boolean): void;
}

/** One repetition on real sockets. */
interface Attempt extends SeededRun {
  readonly slip: Slip;
  readonly cpuMs: number | undefined;
}

/** Runs one contender with every seed, one after the other, on real sockets. */
export async function runContender(
  plan: Plan,
  contender: StartableContender,
  repetitions: Repetitions,
  clock: Clock,
): Promise<AlgorithmResult> {
  const runs: Attempt[] = [];
  let redone = 0;
  for (let done = 0; done < repetitions.seeds; done += 1) {
    const seed = `${repetitions.seed}/${done + 1}`;
    const { kept, redone: more } = await untilQuiet((again) => {
      repetitions.onRepetition(done, again);
      return runOnce(plan, contender, seed, clock);
    }, repetitions.redos - redone);
    redone += more;
    runs.push(kept);
  }
  return { ...summarise(plan, contender, runs), ...cpuPerRequest(runs), redone };
}

function cpuPerRequest(runs: readonly Attempt[]): { cpuUsPerRequest?: number } {
  const requests = runs.reduce((sum, { recorder }) => sum + recorder.answeredInAll, 0);
  const known = runs.every(({ cpuMs }) => cpuMs !== undefined);
  const cpuMs = runs.reduce((sum, run) => sum + (run.cpuMs ?? 0), 0);
  return known && requests > 0 ? { cpuUsPerRequest: (cpuMs * 1000) / requests } : {};
}

async function runOnce(
  plan: Plan,
  contender: StartableContender,
  seed: string,
  clock: Clock,
): Promise<Attempt> {
  await using farm = new BackendFarm(plan, seed);
  for (const { kind, atMs, backend } of plan.actions)
    if (kind === 'start' && atMs === 0) await farm.start(backend);
  await using proxy = await contender.start({ plan, seed });
  const { scenario } = plan;
  const recorder = new Recorder({
    weights: plan.backends.map(({ weight }) => weight),
    sources: scenario.sources.addresses,
    warmUpMs: scenario.warmUpMs,
    durationMs: scenario.durationMs,
  });
  const changes = new LiveChanges(plan, farm, proxy, recorder);
  await changes.begin();
  await Promise.all([farm.slip(), proxy.slip()]);
  const cpuBefore = proxy.cpuMs();
  const load = new LoadGenerator({ scenario, seed, recorder, clock, entries: proxy.entries });
  for (const action of plan.actions)
    if (action.atMs > 0) load.at(action.atMs, () => changes.carryOut(action));
  sample(load, farm, recorder, changes);
  await load.run();
  await changes.settled();
  const cpuAfter = proxy.cpuMs();
  const cpuMs =
    cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore;
  const others = await Promise.all([farm.slip(), proxy.slip()]);
  const slip = togetherSlip([
    slipOf(load.late),
    ...others.filter((one): one is Slip => one !== undefined),
  ]);
  return { seed, recorder, slip, cpuMs };
}

function sample(
  load: LoadGenerator,
  farm: BackendFarm,
  recorder: Recorder,
  changes: LiveChanges,
): void {
  const atMs = recorder.nextSampleAt;
  if (atMs === Infinity) return;
  load.at(atMs, () => {
    recorder.observed(farm.counts.open, farm.counts.peak);
    recorder.takeSample((backend) => changes.isAlive(backend));
    farm.refresh();
    sample(load, farm, recorder, changes);
  });
}

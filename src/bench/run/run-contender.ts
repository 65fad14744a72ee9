import type { Clock } from '../../base/clock.ts';
import { BackendFarm } from '../live/backend-farm.ts';
import type { StartableContender } from '../live/contender.ts';
import { LoadGenerator } from '../live/load-generator.ts';
import type { AlgorithmResult } from '../report/result.ts';
import type { Plan } from '../scenario/plan.ts';
import { Recorder } from '../stats/recorder.ts';
import { LiveChanges } from './live-changes.ts';
import { type SeededRun, summarise } from './summarise.ts';

export interface Repetitions {
  /** Repetition k runs with `<seed>/<k>`. */
  readonly seed: string;
  readonly seeds: number;
  /** Called before each; `done` are over. */
  onRepetition(done: number): void;
}

/** Runs one contender with every seed, one after the other, on real sockets. */
export async function runContender(
  plan: Plan,
  contender: StartableContender,
  repetitions: Repetitions,
  clock: Clock,
): Promise<AlgorithmResult> {
  const runs: SeededRun[] = [];
  let cpuMs: number | undefined = 0;
  for (let done = 0; done < repetitions.seeds; done += 1) {
    const seed = `${repetitions.seed}/${done + 1}`;
    repetitions.onRepetition(done);
    const run = await runOnce(plan, contender, seed, clock);
    runs.push({ seed, recorder: run.recorder });
    cpuMs = cpuMs === undefined || run.cpuMs === undefined ? undefined : cpuMs + run.cpuMs;
  }
  return {
    ...summarise(plan, contender, runs),
    ...cpuPerRequest(cpuMs, runs),
    lateP99Ms: Math.max(...runs.map(({ recorder }) => recorder.late.percentileMs(99))),
  };
}

function cpuPerRequest(
  cpuMs: number | undefined,
  runs: readonly SeededRun[],
): { cpuUsPerRequest?: number } {
  const requests = runs.reduce((sum, { recorder }) => sum + recorder.answeredInAll, 0);
  return cpuMs === undefined || requests === 0
    ? {}
    : { cpuUsPerRequest: (cpuMs * 1000) / requests };
}

async function runOnce(
  plan: Plan,
  contender: StartableContender,
  seed: string,
  clock: Clock,
): Promise<{ recorder: Recorder; cpuMs: number | undefined }> {
  await using farm = new BackendFarm(plan, seed);
  for (const { kind, atMs, backend } of plan.actions)
    if (kind === 'start' && atMs === 0) await farm.start(backend);
  await using proxy = await contender.start({ plan, seed });
  const { scenario } = plan;
  const recorder = new Recorder({
    backends: plan.backends.length,
    sources: scenario.sources.addresses,
    warmUpMs: scenario.warmUpMs,
    durationMs: scenario.durationMs,
  });
  const changes = new LiveChanges(plan, farm, proxy, recorder);
  await changes.begin();
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
  return { recorder, cpuMs };
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

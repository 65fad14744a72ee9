import type { Clock } from '../../base/clock.ts';
import type { Contender } from '../live/contender.ts';
import { runInNamespace } from '../live/run-in-namespace.ts';
import type { AlgorithmResult, ScenarioResult } from '../report/result.ts';
import { planOf } from '../scenario/plan.ts';
import type { Scenario, ScenarioEvent, WarmUp } from '../scenario/scenario.ts';
import { runContender } from './run-contender.ts';
import type { Progress } from './run-sim.ts';

export interface LiveRunOptions {
  readonly contenders: readonly Contender[];
  readonly seed: string;
  readonly seeds: number;
  readonly clock: Clock;
  onProgress(progress: Progress): void;
}

/** The scenario as the live engine runs it: in less time, since its time is real. Events keep pace. */
export function liveScenario(scenario: Scenario): Scenario {
  const { durationMs, warmUpMs } = scenario.live;
  const share = durationMs / scenario.durationMs;
  const events = scenario.events.map((event) => quickened(event, share));
  return { ...scenario, durationMs, warmUpMs, events };
}

function quickened(event: ScenarioEvent, share: number): ScenarioEvent {
  const atMs = event.atMs * share;
  switch (event.kind) {
    case 'weight':
      return { ...event, atMs };
    case 'die':
      return { ...event, atMs, noticedAfterMs: event.noticedAfterMs * share };
    case 'join':
      return { ...event, atMs, ...quickenedWarmUp(event.warmUp, share) };
    case 'roll':
      return {
        ...event,
        atMs,
        intervalMs: event.intervalMs * share,
        graceMs: event.graceMs * share,
        ...quickenedWarmUp(event.warmUp, share),
      };
  }
}

function quickenedWarmUp(warmUp: WarmUp | undefined, share: number): { warmUp?: WarmUp } {
  return warmUp === undefined
    ? {}
    : { warmUp: { ...warmUp, durationMs: warmUp.durationMs * share } };
}

/** So many that the run takes a quarter longer at most where the machine is never quiet. */
function redosFor(repetitions: number): number {
  return Math.max(2, Math.floor(repetitions / 4));
}

/** Runs every contender with every seed, one after the other, on real sockets. */
export async function runLive(
  scenario: Scenario,
  options: LiveRunOptions,
): Promise<ScenarioResult> {
  const shortened = liveScenario(scenario);
  const plan = planOf(shortened);
  const { contenders, seed, seeds, clock } = options;
  const algorithms: AlgorithmResult[] = [];
  let redos = redosFor(contenders.length * seeds);
  for (const [index, contender] of contenders.entries()) {
    const onRepetition = (done: number, again: boolean): void =>
      options.onProgress({
        scenario: scenario.name,
        algorithm: again ? `${contender.name} (again: the machine was busy)` : contender.name,
        done: index * seeds + done,
        total: contenders.length * seeds,
      });
    const repetitions = { seed, seeds, redos, onRepetition };
    const result =
      contender.inNamespace === true
        ? await runInNamespace(shortened, contender.name, repetitions)
        : await runContender(plan, contender, repetitions, clock);
    redos -= result.redone ?? 0;
    algorithms.push(result);
  }
  return { scenario: shortened, engine: 'live', algorithms };
}

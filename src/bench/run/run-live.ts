import type { Clock } from '../../base/clock.ts';
import type { EligibleBackend } from '../algorithms/balancer.ts';
import { BackendFarm } from '../live/backend-farm.ts';
import { LoadGenerator } from '../live/load-generator.ts';
import type { Contender } from '../live/contender.ts';
import type { ProxyUnderTest } from '../live/proxy-under-test.ts';
import type { AlgorithmResult, ScenarioResult } from '../report/result.ts';
import { podAddress } from '../scenario/network-plan.ts';
import { type Plan, type PlannedAction, planOf } from '../scenario/plan.ts';
import type { Scenario, ScenarioEvent, WarmUp } from '../scenario/scenario.ts';
import { Recorder } from '../stats/recorder.ts';
import type { Progress } from './run-sim.ts';
import { type SeededRun, summarise } from './summarise.ts';

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

/** Runs every contender with every seed, one after the other, on real sockets. */
export async function runLive(
  scenario: Scenario,
  options: LiveRunOptions,
): Promise<ScenarioResult> {
  const shortened = liveScenario(scenario);
  const plan = planOf(shortened);
  const total = options.contenders.length * options.seeds;
  const algorithms: AlgorithmResult[] = [];
  let done = 0;
  for (const contender of options.contenders) {
    const runs: SeededRun[] = [];
    let cpuMs: number | undefined = 0;
    for (let repetition = 1; repetition <= options.seeds; repetition += 1) {
      const seed = `${options.seed}/${repetition}`;
      options.onProgress({ scenario: scenario.name, algorithm: contender.name, done, total });
      const run = await runOnce(plan, contender, seed, options.clock);
      runs.push({ seed, recorder: run.recorder });
      cpuMs = cpuMs === undefined || run.cpuMs === undefined ? undefined : cpuMs + run.cpuMs;
      done += 1;
    }
    algorithms.push({ ...summarise(plan, contender, runs), ...cpuPerRequest(cpuMs, runs) });
  }
  return { scenario: shortened, engine: 'live', algorithms };
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
  contender: Contender,
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
  const changes = new Changes(plan, farm, proxy, recorder);
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
  changes: Changes,
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

/** Carries out what the plan says, on real backends and a real proxy. */
class Changes {
  readonly #plan: Plan;
  readonly #farm: BackendFarm;
  readonly #proxy: ProxyUnderTest;
  readonly #recorder: Recorder;
  readonly #alive = new Set<number>();
  readonly #eligible = new Set<number>();
  readonly #weights: number[];
  #pending: Promise<void> = Promise.resolve();

  constructor(plan: Plan, farm: BackendFarm, proxy: ProxyUnderTest, recorder: Recorder) {
    this.#plan = plan;
    this.#farm = farm;
    this.#proxy = proxy;
    this.#recorder = recorder;
    this.#weights = plan.backends.map(({ weight }) => weight);
  }

  isAlive(backend: number): boolean {
    return this.#alive.has(backend);
  }

  /** The state at 0; its backends run already. */
  async begin(): Promise<void> {
    for (const { kind, atMs, backend } of this.#plan.actions) {
      if (atMs > 0) continue;
      if (kind === 'start') this.#alive.add(backend);
      if (kind === 'announce') this.#eligible.add(backend);
    }
    await this.#proxy.update(this.#view());
  }

  carryOut(action: PlannedAction): void {
    const { backend } = action;
    switch (action.kind) {
      case 'start':
        this.#alive.add(backend);
        this.#then(() => this.#farm.start(backend));
        return;
      case 'announce':
        this.#eligible.add(backend);
        break;
      case 'withdraw':
        this.#eligible.delete(backend);
        break;
      case 'weight':
        this.#weights[backend] = action.weight;
        break;
      case 'stop':
      case 'kill':
        this.#alive.delete(backend);
        this.#farm[action.kind](backend);
        return;
    }
    const view = this.#view();
    this.#recorder.backendsChanged();
    this.#then(() => this.#proxy.update(view));
  }

  /** Rejects with the first thing that went wrong. */
  settled(): Promise<void> {
    return this.#pending;
  }

  /** One after the other: a backend is announced only when it listens. */
  #then(step: () => Promise<void>): void {
    this.#pending = this.#pending.then(step);
    // Told by settled(), at the end of the run.
    this.#pending.catch(() => {});
  }

  #view(): EligibleBackend[][] {
    const { nodes, externalTrafficPolicy } = this.#plan.scenario;
    const local = externalTrafficPolicy === 'Local';
    return Array.from({ length: nodes }, (_, node) =>
      this.#plan.backends
        .filter(({ index, node: home }) => this.#eligible.has(index) && (!local || home === node))
        .map(({ index }) => ({ index, weight: this.#weights[index] ?? 0, ...podAddress(index) })),
    );
  }
}

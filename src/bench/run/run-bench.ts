import type { Clock } from '../../base/clock.ts';
import { PodwireError } from '../../base/errors.ts';
import type { Algorithm } from '../algorithms/balancer.ts';
import { ALGORITHMS, algorithmNamed } from '../algorithms/registry.ts';
import { type BenchResult, RESULT_FORMAT, type ScenarioResult } from '../report/result.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { loadScenario, shippedScenarioNames } from '../scenario/shipped-scenarios.ts';
import { type Contender, podwireContender } from '../live/contender.ts';
import { machineInfo } from '../live/machine-info.ts';
import { installedPeers, peerContenders } from '../live/peers.ts';
import { liveScenario, runLive } from './run-live.ts';
import { type Progress, runSimulated } from './run-sim.ts';

export interface BenchOptions {
  /** Shipped names, paths of YAML files, or `all`. */
  readonly scenarios: readonly string[];
  /** Instead of each scenario's own. */
  readonly algorithms?: readonly string[];
  readonly seed: string;
  /** Instead of each scenario's own number of repetitions. */
  readonly seeds?: number;
  /** Live: beside podwire, everything that is installed. */
  readonly withPeers?: boolean;
  /** Of this podwire, for the report. */
  readonly version: string;
  readonly onProgress: (progress: Progress) => void;
}

/**
 * Simulates scenarios one after the other. Throws PodwireError `ERR_SCENARIO` or `ERR_ALGORITHM` before
 * anything runs when something is not known. The loop is left free between runs.
 */
export async function simulateScenarios(options: BenchOptions): Promise<BenchResult> {
  const scenarios = loadScenarios(options.scenarios);
  const chosen = options.algorithms?.map(algorithmNamed);
  const results: ScenarioResult[] = [];
  for (const scenario of scenarios)
    results.push(
      await runSimulated(scenario, {
        algorithms: chosen ?? scenario.algorithms.map(algorithmNamed),
        seed: options.seed,
        seeds: options.seeds ?? scenario.seeds,
        onProgress: async (progress) =>
          options.onProgress(amongAll(progress, results.length, scenarios)),
      }),
    );
  return {
    format: RESULT_FORMAT,
    podwire: options.version,
    seed: options.seed,
    command: commandOf(options, 'sim'),
    scenarios: results,
  };
}

/**
 * Runs scenarios on real sockets, one after the other, with every peer that is there and can take part.
 * Throws as {@link simulateScenarios} does, and `ERR_BENCH_LIVE` when something cannot be started.
 */
export async function runScenariosLive(options: BenchOptions, clock: Clock): Promise<BenchResult> {
  const scenarios = loadScenarios(options.scenarios);
  const peers = options.withPeers === false ? new Map<string, string>() : await installedPeers();
  const results: ScenarioResult[] = [];
  for (const scenario of scenarios) {
    const own = ownAlgorithms(scenario, options).map(podwireContender);
    const contenders = [...own, ...peerContenders(scenario, peers, clock)];
    const onProgress = (progress: Progress): void =>
      options.onProgress(amongAll(progress, results.length, scenarios));
    results.push(await liveRun(scenario, contenders, { ...options, onProgress }, clock));
  }
  return liveResult(options, 'live', peers, results);
}

/**
 * Runs scenarios with both engines, for the same time and with the same seeds, so that they can be compared:
 * see report/agreement.ts. Without peers, which have no simulation. Throws as {@link runScenariosLive} does.
 */
export async function runScenariosBoth(options: BenchOptions, clock: Clock): Promise<BenchResult> {
  const scenarios = loadScenarios(options.scenarios);
  const results: ScenarioResult[] = [];
  for (const [over, scenario] of scenarios.entries()) {
    const algorithms = ownAlgorithms(scenario, options);
    const onProgress = (progress: Progress): void =>
      options.onProgress(amongAll(progress, over, scenarios));
    const contenders = algorithms.map(podwireContender);
    const real = await liveRun(scenario, contenders, { ...options, onProgress }, clock);
    const simulated = await runSimulated(liveScenario(scenario), {
      algorithms,
      seed: options.seed,
      seeds: options.seeds ?? scenario.live.seeds,
      onProgress: async () => {},
    });
    results.push(real, simulated);
  }
  return liveResult(options, 'both', new Map(), results);
}

/** The steps of one scenario as steps of all, supposing that all have as many; `over` are done. */
function amongAll(progress: Progress, over: number, scenarios: readonly Scenario[]): Progress {
  const { done, total } = progress;
  return { ...progress, done: over * total + done, total: total * scenarios.length };
}

function ownAlgorithms(scenario: Scenario, { algorithms }: BenchOptions): Algorithm[] {
  return (algorithms ?? scenario.live.algorithms).map(algorithmNamed);
}

function liveRun(
  scenario: Scenario,
  contenders: readonly Contender[],
  options: BenchOptions,
  clock: Clock,
): Promise<ScenarioResult> {
  return runLive(scenario, {
    contenders,
    seed: options.seed,
    seeds: options.seeds ?? scenario.live.seeds,
    clock,
    onProgress: options.onProgress,
  });
}

function liveResult(
  options: BenchOptions,
  engine: 'live' | 'both',
  peers: ReadonlyMap<string, string>,
  scenarios: readonly ScenarioResult[],
): BenchResult {
  return {
    format: RESULT_FORMAT,
    podwire: options.version,
    seed: options.seed,
    command: commandOf(options, engine),
    machine: machineInfo(peers),
    scenarios,
  };
}

/** What gives the same result again; where it was written to does not matter. */
function commandOf(options: BenchOptions, engine: 'sim' | 'live' | 'both'): string {
  const algorithms =
    options.algorithms === undefined ? [] : [`--algorithms ${options.algorithms.join(',')}`];
  const seeds = options.seeds === undefined ? [] : [`--seeds ${options.seeds}`];
  const peers = engine === 'live' && options.withPeers === false ? ['--no-peers'] : [];
  return [
    'podwire bench run',
    ...options.scenarios,
    `--engine ${engine}`,
    ...algorithms,
    `--seed ${options.seed}`,
    ...seeds,
    ...peers,
  ].join(' ');
}

export function loadScenarios(names: readonly string[]): Scenario[] {
  const known = new Set(ALGORITHMS.map(({ name }) => name));
  const wanted = names.includes('all') ? shippedScenarioNames() : names;
  const scenarios = wanted.map((name) => loadScenario(name, known));
  const twice = scenarios.find(
    ({ name }, index) => scenarios.findIndex((other) => other.name === name) !== index,
  );
  if (twice !== undefined)
    throw new PodwireError('ERR_SCENARIO', `scenario ${twice.name} was given twice`);
  return scenarios;
}

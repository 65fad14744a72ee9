import { access, constants, mkdir, readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import { errorCode, errorMessage, PodwireError } from '../base/errors.ts';
import type { BenchResult } from '../bench/report/result.ts';
import type { Progress } from '../bench/run/run-sim.ts';
import { ProgressLine } from './progress-line.ts';
import { renderTable } from './table.ts';
import { packageInfo } from './package-info.ts';
import { awaitStopSignal } from './signals.ts';
import { EXIT, type Terminal } from './terminal.ts';

interface RunFlags {
  readonly engine: 'sim' | 'live' | 'both';
  readonly algorithms?: readonly string[];
  readonly seed: string;
  readonly seeds?: number;
  readonly out?: string;
  readonly compare?: string;
  readonly peers: boolean;
}

/** `podwire bench`: compares load-balancing algorithms. What it runs is loaded when it is asked for. */
export function registerBench(program: Command, terminal: Terminal): void {
  const bench = program
    .command('bench')
    .summary('compare load-balancing algorithms')
    .description(
      'Which load-balancing algorithm, for which workload? Simulated or with real sockets.',
    );
  bench
    .command('list')
    .summary('show the scenarios and algorithms there are')
    .action(() => list(terminal));
  addRunOptions(bench.command('run').alias('lb')).action((scenarios: string[], flags: RunFlags) =>
    run(scenarios, flags, terminal),
  );
}

function addRunOptions(command: Command): Command {
  return command
    .summary('run scenarios and report what each algorithm did')
    .argument('<scenario...>', 'names from bench list, paths of YAML files, or all')
    .addOption(
      new Option('--engine <engine>', 'virtual time, real sockets, or both compared')
        .choices(['sim', 'live', 'both'])
        .default('sim'),
    )
    .option(
      '--algorithms <names>',
      'comma-separated, instead of those of the scenario',
      commaSeparated,
    )
    .option('--seed <seed>', 'the same seed gives the same simulated report', '1')
    .option('--seeds <n>', 'repetitions, instead of those of the scenario', positiveInteger)
    .option(
      '--out <dir>',
      'write report.html, report.txt, results.json, results.csv and SVG files there',
    )
    .option('--no-peers', 'live: leave HAProxy, nginx and the kernel out, also when they are there')
    .option('--compare <results.json>', 'show what changed since an earlier result');
}

async function list(terminal: Terminal): Promise<void> {
  const { ALGORITHMS } = await import('../bench/algorithms/registry.ts');
  const { loadScenarios } = await import('../bench/run/run-bench.ts');
  const scenarios = loadScenarios(['all']);
  terminal.out(
    renderTable(
      ['SCENARIO', 'QUESTION'],
      scenarios.map(({ name, question }) => [name, question]),
    ),
  );
  terminal.out('');
  terminal.out(
    renderTable(
      ['ALGORITHM', 'WHAT IT DOES'],
      ALGORITHMS.map(({ name, summary }) => [name, summary]),
    ),
  );
}

async function run(scenarios: string[], flags: RunFlags, terminal: Terminal): Promise<void> {
  if (flags.engine === 'sim') return runToEnd(scenarios, flags, terminal);
  // Processes of a live run end with this one, on its way out; a signal that simply kills it would leave them.
  const stop = awaitStopSignal(() => {});
  void stop.received.then((signal) => {
    terminal.err(`\n${signal}: stopped before its end`);
    return process.exit(EXIT.failure);
  });
  try {
    await runToEnd(scenarios, flags, terminal);
  } finally {
    stop.release();
  }
}

async function runToEnd(scenarios: string[], flags: RunFlags, terminal: Terminal): Promise<void> {
  // What cannot be read or written is told now, not after the run.
  if (flags.out !== undefined) await makeFolder(flags.out);
  const before = flags.compare === undefined ? undefined : await readResult(flags.compare);
  const progress = new ProgressLine(process.stderr, systemClock);
  const result = await measure(scenarios, flags, (step) => progress.show(step));
  progress.clear();
  await report(result, flags, terminal);
  if (before === undefined) return;
  const { compareResults } = await import('../bench/report/compare.ts');
  terminal.out(`Compared with ${flags.compare}:\n${compareResults(before, result)}`);
}

async function measure(
  scenarios: string[],
  flags: RunFlags,
  onProgress: (progress: Progress) => void,
): Promise<BenchResult> {
  const { algorithms, seeds } = flags;
  const options = {
    scenarios,
    seed: flags.seed,
    version: packageInfo().version,
    onProgress,
    withPeers: flags.peers,
    ...(algorithms === undefined ? {} : { algorithms }),
    ...(seeds === undefined ? {} : { seeds }),
  };
  const runs = await import('../bench/run/run-bench.ts');
  switch (flags.engine) {
    case 'sim':
      return runs.simulateScenarios(options);
    case 'live':
      return runs.runScenariosLive(options, systemClock);
    case 'both':
      return runs.runScenariosBoth(options, systemClock);
  }
}

async function report(result: BenchResult, flags: RunFlags, terminal: Terminal): Promise<void> {
  const { textReport } = await import('../bench/report/text-table.ts');
  const { agreements, agreementText } = await import('../bench/report/agreement.ts');
  for (const scenario of result.scenarios) terminal.out(textReport(scenario));
  for (const agreement of agreements(result)) terminal.out(agreementText(agreement));
  if (flags.out === undefined) {
    terminal.err('Add --out DIR for an HTML report with plots, JSON, CSV and SVG files.');
    return;
  }
  const { writeReport } = await import('../bench/report/write-report.ts');
  const [page] = await writeReport(result, flags.out);
  terminal.err(`wrote ${page} and the data beside it`);
}

async function readResult(path: string): Promise<BenchResult> {
  const { parseResult } = await import('../bench/report/compare.ts');
  return parseResult(await readText(path), path);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new PodwireError('ERR_BENCH_RESULT', `--compare: cannot read ${path}`, { cause });
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
  } catch (cause) {
    const reason = errorCode(cause) ?? errorMessage(cause);
    throw new PodwireError('ERR_BENCH_OUT', `--out: no folder can be had at ${path} (${reason})`, {
      cause,
    });
  }
}

function commaSeparated(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (names.includes('')) throw new InvalidArgumentError('must be names with a comma between');
  if (twice !== undefined) throw new InvalidArgumentError(`${twice} is there twice`);
  return names;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('must be a whole number above 0');
  return value;
}

import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Clock } from '../../base/clock.ts';
import { errorCode, errorMessage, PodwireError } from '../../base/errors.ts';
import { ProcessWatchdog } from './process-watchdog.ts';
import type { ContainerHandle, ContainerRuntime, ContainerSpec, ExitStatus } from './container.ts';

const EXEC_OUTPUT_LIMIT_CHARS = 64 * 1024;
/** How long output may trail behind the exit of its process before the pipes are cut. */
const OUTPUT_LINGER_MS = 1_000;

/**
 * Runs containers as real child processes, each in a process group of its own, so that what a container
 * starts ends with it. They share the machine's file system and network: docs/differences.md.
 */
export class ProcessRuntime implements ContainerRuntime {
  readonly #clock: Clock;
  readonly #watchdog = new ProcessWatchdog();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Codes: `ContainerCannotRun` when the program does not exist or may not be executed. */
  async start(spec: ContainerSpec): Promise<ContainerHandle> {
    const child = await spawned(spec, [...spec.command, ...spec.args]);
    this.#watchdog.add(child.pid ?? 0);
    child.stdout
      ?.setEncoding('utf8')
      .on('data', (text: string) => spec.output.write('stdout', text));
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => spec.output.write('stderr', text));
    const exited = this.#exit(child).then(async (status) => {
      spec.output.end();
      await this.#watchdog.remove(child.pid ?? 0);
      return status;
    });
    let stopping: Promise<void> | undefined;
    return {
      exited,
      stop: (graceMs) => (stopping ??= this.#stop(child, exited, graceMs)),
      exec: (command, timeoutMs) => this.#exec(spec, command, timeoutMs),
    };
  }

  #exit(child: ChildProcess): Promise<ExitStatus> {
    return new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        signalGroup(child, 'SIGKILL');
        const status = exitStatus(code, signal);
        // 'close' waits for the pipes, which an escaped grandchild could hold open for ever.
        const timer = this.#clock.setTimer(OUTPUT_LINGER_MS, () => {
          child.stdout?.destroy();
          child.stderr?.destroy();
        });
        child.once('close', () => {
          timer.cancel();
          resolve(status);
        });
      });
    });
  }

  async #stop(child: ChildProcess, exited: Promise<ExitStatus>, graceMs: number): Promise<void> {
    signalGroup(child, graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const timer = this.#clock.setTimer(graceMs, () => signalGroup(child, 'SIGKILL'));
    await exited;
    timer.cancel();
  }

  async #exec(
    spec: ContainerSpec,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ exitCode: number; output: string }> {
    let child: ChildProcess;
    try {
      child = await spawned(spec, command);
    } catch (error) {
      return { exitCode: 126, output: errorMessage(error) };
    }
    let output = '';
    const collect = (text: string): void => {
      if (output.length < EXEC_OUTPUT_LIMIT_CHARS) output += text;
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    const timer = this.#clock.setTimer(timeoutMs, () => signalGroup(child, 'SIGKILL'));
    const { exitCode } = await this.#exit(child);
    timer.cancel();
    return { exitCode, output };
  }
}

function spawned(spec: ContainerSpec, argv: readonly string[]): Promise<ChildProcess> {
  const [program, ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program ?? '', args, {
      env: spec.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(spec.workingDir === undefined ? {} : { cwd: spec.workingDir }),
    });
    child.once('spawn', () => resolve(child));
    child.once('error', (error) =>
      reject(
        new PodwireError('ContainerCannotRun', cannotRun(program ?? '', error), { cause: error }),
      ),
    );
  });
}

function cannotRun(program: string, error: unknown): string {
  if (errorCode(error) === 'ENOENT')
    return `exec: "${program}": executable file not found in $PATH`;
  if (errorCode(error) === 'EACCES') return `exec: "${program}": permission denied`;
  return `exec: "${program}": ${errorMessage(error)}`;
}

/** Signals everything the container started. A group that is gone already is fine. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** Exit code 128+n for signal n, as container runtimes report it. */
function exitStatus(code: number | null, signal: NodeJS.Signals | null): ExitStatus {
  if (signal === null) {
    const exitCode = code ?? 0;
    return { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' };
  }
  const number = constants.signals[signal];
  return { exitCode: 128 + number, signal: number, reason: 'Error' };
}

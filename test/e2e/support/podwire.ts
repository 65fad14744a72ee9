import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

export const ROOT: string = resolve(import.meta.dirname, '../../..');
export const MAIN: string = join(ROOT, 'dist/cli/main.js');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `podwire ARGS` to its end, in the project's folder. */
export function runPodwire(args: readonly string[]): Promise<Finished> {
  return finished(process.execPath, [MAIN, ...args]);
}

/** Runs any program to its end; a missing program is code 127. */
export function finished(program: string, args: readonly string[]): Promise<Finished> {
  return new Promise((settle) => {
    execFile(program, [...args], { cwd: ROOT, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const failed = error === null ? 0 : error.code;
      settle({ code: typeof failed === 'number' ? failed : 127, stdout, stderr });
    });
  });
}

/** For `test.skipIf(!has('dig'))`: tests with real clients skip where they are not installed. */
export function has(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export interface ReadySummary {
  readonly nodes: { name: string; address: string; podCIDR: string; pods: number }[];
  readonly services: {
    namespace: string;
    name: string;
    clusterIP: string;
    externalIPs: string[];
  }[];
  readonly pods: { name: string; namespace: string; phase: string; podIP: string; node: string }[];
}

/** A running `podwire up`. Every test stops what it started. */
export class RunningUp {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #exited: Promise<number | null>;
  output = '';

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.#exited = new Promise((settle) => child.once('close', (code) => settle(code)));
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
  }

  /** The kubeconfig that the cluster wrote. */
  get kubeconfig(): string {
    return join(this.#folder, 'kubeconfig');
  }

  /** Resolves once the ready file is there; rejects with the output when the command ends first. */
  static async start(args: readonly string[]): Promise<RunningUp> {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-e2e-'));
    const readyFile = join(folder, 'ready.json');
    const own = ['--ready-file', readyFile, '--kubeconfig', join(folder, 'kubeconfig')];
    const child = spawn(process.execPath, [MAIN, 'up', ...own, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const up = new RunningUp(child, folder);
    const ready = new Promise<'ready'>((settle) => {
      const watcher = watch(folder, (_, name) => {
        if (name !== basename(readyFile)) return;
        watcher.close();
        settle('ready');
      });
      void up.#exited.then(() => watcher.close());
    });
    if ((await Promise.race([ready, up.#exited])) !== 'ready') {
      rmSync(folder, { recursive: true });
      throw new Error(`podwire up ended:\n${up.output}`);
    }
    return up;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What the ready file says. */
  summary(): ReadySummary {
    return JSON.parse(readFileSync(join(this.#folder, 'ready.json'), 'utf8')) as ReadySummary;
  }

  clusterIP(name: string, namespace = 'default'): string {
    const found = this.summary().services.find(
      (service) => service.name === name && service.namespace === namespace,
    );
    if (found === undefined) throw new Error(`no Service ${namespace}/${name}`);
    return found.clusterIP;
  }

  /** Resolves with the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#child.kill(signal);
    const code = await this.#exited;
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }
}

/** What `curl URL` prints; curl's own message when it fails. */
export async function curl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await finished('curl', [
    '--silent',
    '--show-error',
    '--max-time',
    '60',
    ...args,
  ]);
  return code === 0 ? stdout : stderr;
}

/** A podwire command that goes on until it is told to end, as `podwire overlay capture NODE -w FILE`. */
export class RunningCommand {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  stderr = '';

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#exited = new Promise((settle) => this.#child.once('close', (code) => settle(code)));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  /** Resolves with the exit code. */
  stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    this.#child.kill(signal);
    return this.#exited;
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient } from './api-client.ts';
import { MAIN } from './podwire.ts';
import { freePort } from '../../support/free-port.ts';

/** USER_HZ is 100 on every Linux that Node runs on. */
const MS_A_TICK = 10;

/** A running `podwire apiserver` with its plain HTTP port. */
export class RunningApiServer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly api: ApiClient;
  /** Of plain HTTP. */
  readonly port: number;
  output = '';

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    this.api = new ApiClient(`http://127.0.0.1:${port}`);
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
  }

  /** Resolves once it answers; `folder` gets the kubeconfig. */
  static async start(folder: string, args: readonly string[]): Promise<RunningApiServer> {
    const [port, tlsPort] = [await freePort(), await freePort()];
    const own = [
      ['--insecure-port', String(port)],
      ['--api-listen', `127.0.0.1:${tlsPort}`],
      ['--kubeconfig', join(folder, 'kubeconfig')],
    ].flat();
    const child = spawn(process.execPath, [MAIN, 'apiserver', ...own, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = new RunningApiServer(child, port);
    while (!running.output.includes('export KUBECONFIG')) {
      if (child.exitCode !== null) throw new Error(`podwire apiserver ended:\n${running.output}`);
      const { stdout, stderr } = child;
      await Promise.race([
        ...[stdout, stderr].flatMap((stream) => (stream === null ? [] : [once(stream, 'data')])),
        once(child, 'exit'),
      ]);
    }
    return running;
  }

  /** Processor time so far, of Linux's accounting. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_A_TICK;
  }

  /** SIGKILL: nothing is written or said any more. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    this.api[Symbol.dispose]();
  }
}

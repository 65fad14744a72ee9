import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { ApiClient } from './api-client.ts';
import { freePort } from './free-port.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const MAIN = join(ROOT, 'dist/cli/main.js');

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

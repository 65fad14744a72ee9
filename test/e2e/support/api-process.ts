import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join, resolve } from 'node:path';
import { freePort } from './free-port.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const MAIN = join(ROOT, 'dist/cli/main.js');

export interface ApiAnswer {
  readonly code: number;
  readonly body: {
    readonly metadata?: Record<string, string>;
    readonly items?: readonly unknown[];
    readonly message?: string;
  };
}

/** A running `podwire apiserver` with its plain HTTP port. */
export class RunningApiServer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  output = '';

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
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

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Rejects when the connection breaks: then nobody knows what became of the request. */
  ask(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    return new Promise((settle, reject) => {
      const outgoing = request(
        `${this.url}${path}`,
        { method, agent: this.#agent, headers: { 'content-type': 'application/json' } },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.once('error', reject);
          response.once('end', () =>
            settle({ code: response.statusCode ?? 0, body: JSON.parse(text) as ApiAnswer['body'] }),
          );
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
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
    this.#agent.destroy();
  }
}

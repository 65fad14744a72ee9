import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { freePort } from '../../support/free-port.ts';
import { finished, MAIN, ROOT } from './podwire.ts';

/** A running `podwire dns`. Every test stops what it started. */
export class RunningDns {
  readonly port: number;
  readonly #child: ChildProcess;
  output = '';

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
  }

  /** Resolves once it answers. */
  static async start(
    args: readonly string[],
    listen: { address?: string; port?: number } = {},
  ): Promise<RunningDns> {
    const port = listen.port ?? (await freePort());
    const own = ['--listen', `${listen.address ?? '127.0.0.1'}:${port}`];
    const child = spawn(process.execPath, [MAIN, 'dns', ...own, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = new RunningDns(child, port);
    const exited = once(child, 'exit');
    await Promise.race([running.prints('DNS at'), exited]);
    if (child.exitCode !== null) throw new Error(`podwire dns ended:\n${running.output}`);
    return running;
  }

  /** Resolves once the output holds `text`. */
  async prints(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      const { stdout, stderr } = this.#child;
      if (stdout === null || stderr === null) return;
      await Promise.race([once(stdout, 'data'), once(stderr, 'data')]);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }
}

/** Whether port 53 can be had at all. */
export const mayBindDnsPort: boolean =
  process.getuid?.() === 0 ||
  Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= 53;

/** What dig said of 127.0.0.1: the status line, and the records with single spaces. */
export function dig(port: number, line: string): Promise<string[]> {
  return digAt('127.0.0.1', port, line);
}

export async function digAt(address: string, port: number, line: string): Promise<string[]> {
  const args = [`@${address}`, '-p', String(port), '+nocookie', ...line.split(' ')];
  const { stdout } = await finished('dig', args);
  const status = /status: (\w+)/.exec(stdout)?.[1];
  const flags = /flags: ([a-z ]*);/.exec(stdout)?.[1];
  const records = stdout
    .split('\n')
    .filter((text) => text !== '' && !text.startsWith(';'))
    .map((text) => text.replaceAll(/\s+/g, ' '));
  return [...(status === undefined ? [] : [`${status} ${flags}`]), ...records];
}

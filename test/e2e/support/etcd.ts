import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';

/** A real etcd that starts with an empty store. */
export class RunningEtcd {
  readonly endpoint: string;
  readonly #program: string;
  readonly #args: readonly string[];
  readonly #folder: string;
  #child: ChildProcess;

  private constructor(program: string, args: readonly string[], folder: string, endpoint: string) {
    this.#program = program;
    this.#args = args;
    this.#folder = folder;
    this.endpoint = endpoint;
    this.#child = this.#spawn();
  }

  /** Resolves once it answers. */
  static async start(program: string): Promise<RunningEtcd> {
    const folder = mkdtempSync(join(tmpdir(), 'podwire-etcd-'));
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    const args = [
      ['--data-dir', folder],
      ['--listen-client-urls', endpoint],
      ['--advertise-client-urls', endpoint],
      ['--listen-peer-urls', peer],
      ['--initial-advertise-peer-urls', peer],
      ['--initial-cluster', `default=${peer}`],
      ['--log-level', 'error'],
    ].flat();
    const running = new RunningEtcd(program, args, folder, endpoint);
    await running.#untilAnswers();
    return running;
  }

  /** SIGKILL, and again with what is on the disk. */
  async killAndRestart(): Promise<void> {
    await this.#kill();
    this.#child = this.#spawn();
    await this.#untilAnswers();
  }

  /** It keeps its connections and says nothing. */
  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(): ChildProcess {
    const env = { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch };
    return spawn(this.#program, [...this.#args], { stdio: 'ignore', env });
  }

  async #kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null)
      await once(this.#child, 'exit');
  }

  async #untilAnswers(): Promise<void> {
    for (;;) {
      const headers = { connection: 'close' };
      const answer = await fetch(`${this.endpoint}/health`, { headers }).catch(() => undefined);
      await answer?.text();
      if (answer?.ok === true) return;
      if (this.#child.exitCode !== null) throw new Error('etcd ended');
      await new Promise((settle) => setTimeout(settle, 50));
    }
  }
}

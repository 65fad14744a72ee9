import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { EngineCounters } from '../../src/proxy/engine/engine.ts';
import { dial, echoBack, readBytes, startServer } from '../support/tcp.ts';

const SCRIPT = join(import.meta.dirname, 'processes/forwarder.ts');
/** Enough for Node itself and a dozen connections. */
const DESCRIPTORS = 64;
const CLIENTS = 60;

class Forwarder implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(engine: string, backendPort: number) {
    const run = `ulimit -n ${DESCRIPTORS}; exec "$0" --import tsx "$@"`;
    const argv = ['-c', run, process.execPath, SCRIPT, engine, String(backendPort)];
    this.#child = spawn('sh', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async readLine(): Promise<string> {
    const { value } = await this.#lines.next();
    return String(value);
  }

  async counters(): Promise<EngineCounters> {
    this.#child.stdin.write('\n');
    return JSON.parse(await this.readLine()) as EngineCounters;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

describe.each(['net', 'handle', 'epoll', 'uring'])('engine %s at its file limit', (engine) => {
  test('serves whom it can, turns the others away, and recovers', async () => {
    await using server = await startServer(echoBack);
    await using forwarder = new Forwarder(engine, server.port);
    const to = { address: '127.0.0.1', port: Number(await forwarder.readLine()) };
    const served: Socket[] = [];
    let turnedAway = 0;
    for (let client = 0; client < CLIENTS; client += 1) {
      const socket = await dial(to).catch(() => undefined);
      const ended = socket === undefined ? Promise.resolve('refused') : firstNews(socket);
      if ((await ended) === 'hello' && socket !== undefined) served.push(socket);
      else {
        turnedAway += 1;
        socket?.destroy();
      }
    }
    expect(served.length).toBeGreaterThan(4);
    expect(turnedAway).toBeGreaterThan(4);
    expect(await forwarder.counters()).toMatchObject({ active: served.length, overLimit: 0 });

    // Those who got in are still served, and once they leave there is room again.
    for (const socket of served) {
      socket.write('again');
      expect((await readBytes(socket, 5)).toString()).toBe('again');
      socket.destroy();
    }
    while ((await forwarder.counters()).active > 0);
    for (let client = 0; client < 5; client += 1) {
      const socket = await dial(to);
      expect(await firstNews(socket)).toBe('hello');
      socket.destroy();
    }
  });
});

/** Says hello: the echo, or how the connection ended. */
function firstNews(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('readable', () => {
      const chunk = socket.read() as Buffer | null;
      resolve(chunk === null ? 'fin' : chunk.toString());
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.once('close', () => resolve('close'));
    socket.write('hello');
  });
}

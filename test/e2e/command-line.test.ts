// How commands end: told to, with nobody reading, on a full disk; and what they leave behind, which is nothing.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findProgram } from '../../src/bench/live/find-program.ts';
import { finished, MAIN, ROOT } from './support/podwire.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-command-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** podwire with a home and a temporary folder of its own. */
class Command {
  readonly child: ChildProcess;
  readonly #ended: Promise<unknown>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], stdout: 'pipe' | number = 'pipe') {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: folder, HOME: folder },
      stdio: ['ignore', stdout, 'pipe'],
    });
    for (const name of ['stdout', 'stderr'] as const)
      this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
      });
    this.#ended = once(this.child, 'close');
  }

  /** Resolves once it has said so, and when it ends before. */
  async until(text: string): Promise<void> {
    const said = new Promise<void>((settle) => {
      const look = (): void => {
        if ((this.stdout + this.stderr).includes(text)) settle();
      };
      this.child.stdout?.on('data', look);
      this.child.stderr?.on('data', look);
      look();
    });
    await Promise.race([said, this.#ended]);
  }

  /** Resolves with the exit code; null where a signal killed it. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.child.exitCode;
  }
}

/** What clusters have put into the temporary folder and not taken away. */
function leftovers(): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('podwire-'));
}

describe('a signal ends it and leaves nothing', () => {
  test.each([
    ['demo', 'SIGINT', 'service/tomcat-server created', 1],
    ['demo', 'SIGTERM', 'node-1 is Ready', 1],
    ['up', 'SIGHUP', 'Ctrl-C stops the cluster', 0],
    ['up', 'SIGINT', 'node-1 is Ready', 0],
  ] as const)('podwire %s, %s after "%s"', async (name, signal, text, code) => {
    const command = new Command([name, '--nodes', '2']);
    await command.until(text);
    command.child.kill(signal);
    expect(await command.ended()).toBe(code);
    expect(command.stderr).toContain(`${signal}: stop`);
    expect(leftovers()).toEqual([]);
  });

  test('two end what waits for an etcd that never answers', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const command = new Command(['up', '--etcd', `http://127.0.0.1:${port}`]);
    await once(silent, 'connection');
    command.child.kill('SIGINT');
    await command.until('once more to end at once');
    command.child.kill('SIGINT');
    expect(await command.ended()).toBe(1);
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, 'close');
  });
});

test.skipIf(findProgram('haproxy') === undefined)(
  'a live bench that is told to end takes the servers of others with it (skipped without HAProxy)',
  async () => {
    const live = ['--engine', 'live', '--algorithms', 'ipvs-rr'];
    const command = new Command(['bench', 'run', 'equal-backends', ...live]);
    // Several take part, one after the other: whichever is there.
    const servers = (): string[] => programsWith(join(folder, 'podwire-haproxy-'));
    await expect.poll(() => servers().length, { timeout: 120_000 }).toBe(1);
    command.child.kill('SIGINT');
    expect(await command.ended()).toBe(1);
    await expect.poll(servers, { timeout: 60_000 }).toEqual([]);
    expect(leftovers()).toEqual([]);
  },
);

/** Running programs that have the text in their arguments. */
function programsWith(text: string): string[] {
  const commandOf = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(commandOf)
    .filter((command) => command.includes(text));
}

describe('nobody reads', () => {
  test('a command that ends by itself ends as ever', async () => {
    const command = new Command(['demo']);
    command.child.stdout?.destroy();
    expect(await command.ended()).toBe(0);
    expect(command.stderr).not.toContain('EPIPE');
    expect(leftovers()).toEqual([]);
  });

  test('a running cluster goes on until it is told to end', async () => {
    const command = new Command(['up', '--nodes', '1', '--ready-file', join(folder, 'ready.json')]);
    command.child.stdout?.destroy();
    await expect.poll(() => existsSync(join(folder, 'ready.json')), { timeout: 60_000 }).toBe(true);
    command.child.kill('SIGTERM');
    expect(await command.ended()).toBe(0);
    expect(leftovers()).toEqual([]);
  });
});

test.skipIf(!existsSync('/dev/full'))('what a full disk does not take is told', async () => {
  const full = openSync('/dev/full', 'w');
  const command = new Command(['bench', 'list'], full);
  closeSync(full);
  expect(await command.ended()).toBe(1);
  expect(command.stderr).toMatch(/^podwire: stdout: ENOSPC/);
});

describe('what cannot be written is named, with what to do', () => {
  test('the kubeconfig: the cluster goes on without', async () => {
    const command = new Command(['up', '--nodes', '1', '--kubeconfig', `${MAIN}/kubeconfig`]);
    await command.until('Ctrl-C stops the cluster');
    command.child.kill();
    expect(await command.ended()).toBe(0);
    expect(command.stderr).toMatch(/! the kubeconfig cannot be written to .*--kubeconfig/);
  });

  test.each([
    ['--ready-file', /--ready-file .* cannot be written/],
    ['--data-dir', /cannot keep objects in .*use another --data-dir/],
  ])('%s: the command ends', async (option, message) => {
    const command = new Command(['up', '--nodes', '1', option, `${MAIN}/nowhere`]);
    expect(await command.ended()).toBe(1);
    expect(command.stderr).toMatch(message);
    expect(leftovers()).toEqual([]);
  });
});

test('a Node that is too old is told, before anything fails on it', async () => {
  const pretend = "Object.defineProperty(process.versions, 'node', { value: '20.9.0' });";
  const script = `${pretend} await import(${JSON.stringify(MAIN)});`;
  const { code, stderr } = await finished(process.execPath, ['--input-type=module', '-e', script]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^podwire \S+ needs Node\.js 20\.19 or newer; this is v/);
});

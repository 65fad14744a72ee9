import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** A process that serves a port, ended with the round. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
}

export function isInstalled(command: string): boolean {
  return spawnSync('which', [command]).status === 0;
}

/** Resolves when the port answers. */
export async function startChild(
  command: string,
  argv: readonly string[],
  port: number,
): Promise<Child> {
  const child = spawn(command, argv, { stdio: ['ignore', 'ignore', 'inherit'] });
  await answers(child, port);
  return {
    pid: workerOf(child.pid ?? 0),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** nginx and HAProxy work in a child of the process that was started. */
function workerOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return Number(children[0]) || pid;
}

async function answers(child: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended: ${child.exitCode}`);
    const socket = connect(port, '127.0.0.1');
    const ok = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${child.spawnfile} does not answer on port ${port}`);
}

/** User and system time of all threads so far, in microseconds (the scheduler's own nanoseconds). */
export function cpuMicros(pid: number): number {
  let total = 0;
  for (const task of readdirSync(`/proc/${pid}/task`))
    total += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return total / 1000;
}

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { PodwireError } from '../../base/errors.ts';
import type { SocketAddress } from '../../proxy/flow.ts';
import type { EligibleBackend } from '../algorithms/balancer.ts';
import { nodeAddress } from '../scenario/network-plan.ts';
import type { ProxyOrder, ProxyReply } from './proxy-process.ts';
import { loaderFlags, siblingModule } from './sibling-module.ts';
import type { Slip } from './slip.ts';

/** Something that balances connections between real sockets: podwire's proxy, or a peer. */
export interface ProxyUnderTest extends AsyncDisposable {
  /** Where clients of each node dial. */
  readonly entries: readonly SocketAddress[];
  /** Processor time used so far, in milliseconds; undefined where the system does not tell. */
  cpuMs(): number | undefined;
  /** Of its process, since this was last asked for; undefined where nobody can tell. */
  slip(): Promise<Slip | undefined>;
  /** The eligible backends of each node. */
  update(eligible: readonly (readonly EligibleBackend[])[]): Promise<void>;
}

export type ProxyStart = Omit<Extract<ProxyOrder, { kind: 'start' }>, 'kind'>;

/** podwire's proxy in a process of its own. */
export async function startPodwireProxy(options: ProxyStart): Promise<ProxyUnderTest> {
  const path = siblingModule(import.meta.url, 'proxy-process');
  const child = fork(path, { execArgv: loaderFlags(path), serialization: 'advanced' });
  const started = await ask(child, { kind: 'start', ...options });
  if (started.kind !== 'listening') throw failure(started);
  return {
    entries: started.ports.map((port, node) => ({ address: nodeAddress(node), port })),
    cpuMs: () => processCpuMs(child.pid),
    async slip() {
      const reply = await ask(child, { kind: 'slip' });
      if (reply.kind !== 'slip') throw failure(reply);
      return reply.slip;
    },
    async update(eligible) {
      const reply = await ask(child, { kind: 'update', eligible });
      if (reply.kind !== 'updated') throw failure(reply);
    },
    [Symbol.asyncDispose]: () => endChild(child),
  };
}

/** Asks a child to end and waits until it has. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

const NANOSECONDS_PER_MS = 1e6;

/**
 * Processor time of all threads of a process that are alive, from Linux's /proc/PID/task/TID/schedstat: in
 * nanoseconds, where utime and stime would be hundredths of a second. Undefined where there is no such thing.
 */
export function processCpuMs(pid: number | undefined): number | undefined {
  if (pid === undefined || process.platform !== 'linux') return undefined;
  const tasks = `/proc/${pid}/task`;
  try {
    const used = readdirSync(tasks).map((thread) => {
      const [nanoseconds] = readFileSync(`${tasks}/${thread}/schedstat`, 'latin1').split(' ');
      return Number(nanoseconds);
    });
    return used.reduce((sum, one) => sum + one, 0) / NANOSECONDS_PER_MS;
  } catch {
    return undefined;
  }
}

async function ask(child: ChildProcess, order: ProxyOrder): Promise<ProxyReply> {
  const exit = new AbortController();
  const reply = Promise.race([
    once(child, 'message', { signal: exit.signal }) as Promise<[ProxyReply]>,
    once(child, 'exit', { signal: exit.signal }).then(([code]): [ProxyReply] => [
      { kind: 'failed', reason: `the proxy ended with code ${code}` },
    ]),
  ]);
  child.send(order);
  const [message] = await reply;
  exit.abort();
  return message;
}

function failure(reply: ProxyReply): PodwireError {
  const reason = reply.kind === 'failed' ? reply.reason : 'an answer out of turn';
  return new PodwireError('ERR_BENCH_LIVE', `the proxy does not answer: ${reason}`);
}

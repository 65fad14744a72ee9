import type { Clock } from '../../base/clock.ts';
import { errorMessage, PodwireError } from '../../base/errors.ts';
import type { Engine } from './engine.ts';
import { HandleTransport } from './handle-transport.ts';
import { LinuxEngine } from './linux/linux-engine.ts';
import { probeLinux } from '../../base/linux/probe.ts';
import { ringRefusal } from './linux/ring-probe.ts';
import type { Linux } from '../../base/linux/system-calls.ts';
import { netTransport } from './net-transport.ts';
import type { Transport } from './stream-end.ts';
import { type EngineLimits, StreamEngine } from './stream-engine.ts';
import { loadTcpBinding } from './tcp-binding.ts';

/**
 * `net` uses node:net's public API only; `handle` what lies under it, at half the cost; `epoll` and `uring` make the
 * system calls themselves, in threads of their own. `auto` is the first that works here of uring, epoll, handle and net.
 */
export const ENGINE_CHOICES = ['auto', 'net', 'handle', 'epoll', 'uring'] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];

/** More forwarding threads than this are refused: the main thread, which decides, serves no more. */
export const MOST_ENGINE_THREADS = 64;

const NO_HANDLES = 'this Node does not let its TCP handles be used';

export interface CreateEngineOptions {
  readonly clock: Clock;
  readonly choice?: EngineChoice;
  /** Forwarding threads of `epoll` and `uring`, 1 to {@link MOST_ENGINE_THREADS}; the others have none. */
  readonly threads?: number;
  readonly limits?: Partial<EngineLimits>;
  /** Told in one line when an engine gives way to another, at once or while it runs. */
  onFallback?(reason: string): void;
}

/**
 * Throws a PodwireError with code ENGINE_UNAVAILABLE when an engine asked for by name does not work here; only `uring`
 * gives way to `epoll`, which needs the same of the machine but io_uring.
 */
export function createEngine(options: CreateEngineOptions): Engine {
  const { choice = 'auto' } = options;
  if (choice === 'net' || choice === 'handle') return portableEngine(choice, options);
  const probe = probeLinux();
  if (probe.kind === 'works') return linuxEngine(probe.linux, choice, options);
  if (choice !== 'auto') throw unavailable(choice, probe.reason);
  const engine = portableEngine('auto', options);
  options.onFallback?.(`the engine "${engine.name}" is used, on the main thread: ${probe.reason}`);
  return engine;
}

function linuxEngine(
  linux: Linux,
  choice: 'auto' | 'epoll' | 'uring',
  options: CreateEngineOptions,
): Engine {
  const { clock, limits, threads } = options;
  const ringProblem = choice === 'epoll' ? undefined : ringRefusal(linux);
  if (ringProblem !== undefined)
    options.onFallback?.(`no io_uring here, the engine "epoll" is used: ${ringProblem}`);
  return new LinuxEngine({
    linux,
    backend: choice === 'epoll' || ringProblem !== undefined ? 'epoll' : 'uring',
    portable: portableEngine('auto', options),
    clock,
    ...(limits === undefined ? {} : { limits }),
    ...(threads === undefined ? {} : { threads }),
    onCrash: ({ message }) => {
      options.onFallback?.(
        `a forwarding thread has died and its connections with it; the portable engine goes on: ${message}`,
      );
    },
    onListenerLost: ({ address, port }, error) => {
      options.onFallback?.(
        `nobody listens on ${address} port ${port} since the forwarding thread died: ${errorMessage(error)}`,
      );
    },
  });
}

function portableEngine(
  choice: 'auto' | 'net' | 'handle',
  options: CreateEngineOptions,
): StreamEngine {
  const { clock, limits } = options;
  const engineOver = (transport: Transport): StreamEngine =>
    new StreamEngine({ transport, clock, ...(limits === undefined ? {} : { limits }) });
  if (choice === 'net') return engineOver(netTransport);
  const binding = loadTcpBinding();
  if (binding !== undefined) return engineOver(new HandleTransport(binding));
  if (choice === 'handle') throw unavailable(choice, NO_HANDLES);
  options.onFallback?.(`${NO_HANDLES}: the engine "net" is used`);
  return engineOver(netTransport);
}

/** Undefined: the handle engine works here. Otherwise why it does not. */
export function handleEngineRefusal(): string | undefined {
  return loadTcpBinding() === undefined ? NO_HANDLES : undefined;
}

function unavailable(choice: EngineChoice, reason: string): PodwireError {
  return new PodwireError(
    'ENGINE_UNAVAILABLE',
    `the engine "${choice}" does not work here: ${reason}; use "auto" or "net"`,
  );
}

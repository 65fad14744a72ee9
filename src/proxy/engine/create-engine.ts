import type { Clock } from '../../base/clock.ts';
import { errorMessage, PodwireError } from '../../base/errors.ts';
import type { Engine } from './engine.ts';
import { HandleTransport } from './handle-transport.ts';
import { LinuxEngine } from './linux/linux-engine.ts';
import { probeLinux } from './linux/probe.ts';
import { ringRefusal } from './linux/ring-probe.ts';
import { netTransport } from './net-transport.ts';
import type { Transport } from './stream-end.ts';
import { type EngineLimits, StreamEngine } from './stream-engine.ts';
import { loadTcpBinding } from './tcp-binding.ts';

/**
 * `net` uses node:net's public API only; `handle` what lies under it, at half the cost; `epoll` and `uring` make the
 * system calls themselves, in a thread of their own. `auto` is `handle` where Node offers it, else `net`; the other two
 * are for those who ask for them until they have been through longer load.
 */
export const ENGINE_CHOICES = ['auto', 'net', 'handle', 'epoll', 'uring'] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];

const NO_HANDLES = 'this Node does not let its TCP handles be used';

export interface CreateEngineOptions {
  readonly clock: Clock;
  readonly choice?: EngineChoice;
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
  if (choice !== 'epoll' && choice !== 'uring') return portableEngine(choice, options);
  const probe = probeLinux();
  if (probe.kind === 'refused') throw unavailable(choice, probe.reason);
  const ringProblem = choice === 'uring' ? ringRefusal(probe.linux) : undefined;
  if (ringProblem !== undefined)
    options.onFallback?.(`no io_uring here, the engine "epoll" is used: ${ringProblem}`);
  return new LinuxEngine({
    linux: probe.linux,
    backend: ringProblem === undefined ? choice : 'epoll',
    portable: portableEngine('auto', options),
    clock: options.clock,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    onCrash: ({ message }) => {
      options.onFallback?.(
        `the forwarding thread has died and its connections with it; the portable engine goes on: ${message}`,
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

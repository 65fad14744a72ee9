import type { Clock } from '../../base/clock.ts';
import { PodwireError } from '../../base/errors.ts';
import type { Engine } from './engine.ts';
import { HandleTransport } from './handle-transport.ts';
import { LinuxEngine } from './linux/linux-engine.ts';
import { probeLinux } from './linux/probe.ts';
import { netTransport } from './net-transport.ts';
import { type EngineLimits, StreamEngine } from './stream-engine.ts';
import { loadTcpBinding } from './tcp-binding.ts';

/**
 * `net` uses node:net's public API only; `handle` what lies under it, at half the cost; `epoll` makes the system
 * calls itself, in a thread of its own. `auto` is `net`: the other two are for those who ask for them, `handle` because
 * its event loop sometimes spins when a process with many reset connections ends, `epoll` until it has been through
 * longer load.
 */
export const ENGINE_CHOICES = ['auto', 'net', 'handle', 'epoll'] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];

export interface CreateEngineOptions {
  readonly clock: Clock;
  readonly choice?: EngineChoice;
  readonly limits?: Partial<EngineLimits>;
  /** Told when an engine gives way to another while it runs, in one line. */
  onFallback?(reason: string): void;
}

/** Throws a PodwireError with code ENGINE_UNAVAILABLE when an engine asked for by name does not work here. */
export function createEngine(options: CreateEngineOptions): Engine {
  const { choice = 'auto' } = options;
  if (choice !== 'epoll') return portableEngine(choice, options);
  const probe = probeLinux();
  if (probe.kind === 'refused') throw unavailable(choice, probe.reason);
  return new LinuxEngine({
    linux: probe.linux,
    portable: portableEngine('auto', options),
    clock: options.clock,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    onCrash: ({ message }) => {
      options.onFallback?.(
        `the forwarding thread has died and its connections with it; the portable engine goes on: ${message}`,
      );
    },
  });
}

function portableEngine(
  choice: 'auto' | 'net' | 'handle',
  { clock, limits }: CreateEngineOptions,
): StreamEngine {
  const binding = choice === 'handle' ? loadTcpBinding() : undefined;
  if (binding === undefined && choice === 'handle')
    throw unavailable(choice, 'this Node has no TCP handles to offer');
  const transport = binding === undefined ? netTransport : new HandleTransport(binding);
  return new StreamEngine({ transport, clock, ...(limits === undefined ? {} : { limits }) });
}

function unavailable(choice: EngineChoice, reason: string): PodwireError {
  return new PodwireError(
    'ENGINE_UNAVAILABLE',
    `the engine "${choice}" does not work here: ${reason}; use "auto" or "net"`,
  );
}

import type { Clock } from '../../base/clock.ts';
import { PodwireError } from '../../base/errors.ts';
import type { Engine } from './engine.ts';
import { HandleTransport } from './handle-transport.ts';
import { LinuxEngine } from './linux/linux-engine.ts';
import { probeLinux } from './linux/probe.ts';
import { netTransport } from './net-transport.ts';
import type { Transport } from './stream-end.ts';
import { type EngineLimits, StreamEngine } from './stream-engine.ts';
import { loadTcpBinding } from './tcp-binding.ts';

/**
 * `net` uses node:net's public API only; `handle` what lies under it, at half the cost; `epoll` makes the system
 * calls itself, in a thread of its own. `auto` is `handle` where Node offers it, else `net`; `epoll` is for those who ask
 * for it until it has been through longer load.
 */
export const ENGINE_CHOICES = ['auto', 'net', 'handle', 'epoll'] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];

const NO_HANDLES = 'this Node does not let its TCP handles be used';

export interface CreateEngineOptions {
  readonly clock: Clock;
  readonly choice?: EngineChoice;
  readonly limits?: Partial<EngineLimits>;
  /** Told in one line when an engine gives way to another, at once or while it runs. */
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

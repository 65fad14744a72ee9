import type { Clock } from '../../base/clock.ts';
import type { Engine } from './engine.ts';
import { HandleTransport } from './handle-transport.ts';
import { netTransport } from './net-transport.ts';
import { type EngineLimits, StreamEngine } from './stream-engine.ts';
import { loadTcpBinding } from './tcp-binding.ts';

/**
 * `net` uses node:net's public API only; `handle` what lies under it, at half the cost; `auto` is `handle` where this
 * Node offers it, else `net`. The engine's name tells which it became.
 */
export type EngineChoice = 'auto' | 'net' | 'handle';

/** Throws when `handle` is asked for by name and this Node does not have it. */
export function createEngine(options: {
  readonly clock: Clock;
  readonly choice?: EngineChoice;
  readonly limits?: Partial<EngineLimits>;
}): Engine {
  const { choice = 'auto', ...rest } = options;
  const binding = choice === 'net' ? undefined : loadTcpBinding();
  if (binding === undefined && choice === 'handle')
    throw new Error('this Node has no TCP handles to offer: use the engine "net" or "auto"');
  const transport = binding === undefined ? netTransport : new HandleTransport(binding);
  return new StreamEngine({ transport, ...rest });
}

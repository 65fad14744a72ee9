import type { Engine, ListenOptions } from '../../src/proxy/engine/engine.ts';

export interface SocklessEngine {
  readonly engine: Engine;
  /** Who listens now, by `address:port`. */
  readonly listening: ReadonlyMap<string, ListenOptions>;
  /** How often standing routes have been revoked. */
  readonly revocations: () => number;
  /** What its threads have not told yet: each `catchUp` tells the first. */
  readonly untold: (() => void)[];
}

/** An engine that only remembers who listens where. */
export function socklessEngine(): SocklessEngine {
  const listening = new Map<string, ListenOptions>();
  const untold: (() => void)[] = [];
  let revocations = 0;
  const engine = {
    listen: async (options: ListenOptions) => {
      const key = `${options.address}:${options.port}`;
      listening.set(key, options);
      const close = async (): Promise<void> => {
        listening.delete(key);
      };
      await Promise.resolve();
      return { local: options, close, [Symbol.asyncDispose]: close };
    },
    revokeStanding: () => {
      revocations += 1;
    },
    catchUp: () => untold.shift()?.(),
  } as unknown as Engine;
  return { engine, listening, revocations: () => revocations, untold };
}

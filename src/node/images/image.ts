import type { Clock } from '../../base/clock.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { Random } from '../../base/random.ts';
import type { ContainerSpec } from '../runtime/container.ts';

/** What the machine and the cluster offer to built-in images. */
export interface ImageServices {
  readonly clock: Clock;
  readonly random: Random;
  /** Where a server of `address:port` must really bind: see pod-ports.ts. */
  bindPort(address: string, port: number): number;
  /** Serves the cluster's names from a Corefile; absent where there is no cluster. */
  startDns?(spec: ContainerSpec, corefile: string): Promise<RunningImage>;
}

/**
 * A built-in image that runs. `close` is SIGTERM: finish what was begun; dispose is SIGKILL. Both leave no
 * socket behind.
 */
export interface RunningImage extends Resource {
  /** Resolves with an exit code if it ends by itself; absent for servers that never do. */
  readonly exited?: Promise<number>;
}

export interface BuiltinImage {
  /** For people: what it does and on which ports. */
  readonly summary: string;
  start(spec: ContainerSpec, services: ImageServices): Promise<RunningImage>;
}

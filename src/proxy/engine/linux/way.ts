/** One way through a connection, whatever moves its bytes. */
export interface Way {
  /** Bytes read from its source. */
  readonly bytes: number;
  /** FIN has been read. */
  readonly ended: boolean;
  /** FIN has been passed on: nothing more will happen here. */
  readonly finished: boolean;
  /** The kernel holds on to its sockets and buffers: a request is under way, whose completion must be awaited. */
  readonly inFlight: boolean;
  /** Gives back what it holds; bytes under way are lost. Not while in flight. */
  release(): void;
}

/** How a step of a way ended. */
export const OUTCOME = {
  /** Nothing to do until the kernel reports one of the sockets, or ever. */
  idle: 0,
  /** There is more, but others want their turn. */
  again: 1,
  /** Nothing was wrong: the loop goes on. Never the end of a turn. */
  moved: 2,
  sourceBroken: 3,
  sinkBroken: 4,
} as const;
export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME];

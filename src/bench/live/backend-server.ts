import type { Clock } from '../../base/clock.ts';
import type { BackendPool } from '../sim/backend-pool.ts';
import type { MessageFormat } from './message-format.ts';

/** Connections by backend; of UDP, which has none, queries that wait for their answer. */
export interface ConnectionCounts {
  readonly open: Int32Array;
  readonly peak: Int32Array;
}

export interface BackendOptions {
  readonly index: number;
  /** Says when each request is done: the very queue of the simulation. */
  readonly pool: BackendPool;
  readonly format: MessageFormat;
  readonly counts: ConnectionCounts;
  readonly clock: Clock;
}

/** One backend on a real socket. Owns its sockets. */
export interface BackendServer {
  /** Rejects when the address cannot be had. */
  listen(): Promise<void>;
  /** Nothing new; what is there is served. */
  stop(): void;
  /** Gone at once. */
  kill(): void;
}

/** Takes one request; `answer` is called once, with what to send: at once when the queue is full. */
export function serve(
  { index, pool, format, clock }: BackendOptions,
  id: number,
  answer: (response: string) => void,
): void {
  const now = clock.now();
  const endAt = pool.admit(index, now);
  if (endAt < 0) {
    answer(format.response(id, -1));
    return;
  }
  clock.setTimer(endAt - now, () => {
    pool.leave(index);
    answer(format.response(id, index));
  });
}

/** Counts one more (`by` 1) or less (-1) at a backend. */
export function countOpen({ index, counts }: BackendOptions, by: 1 | -1): void {
  const open = (counts.open[index] ?? 0) + by;
  counts.open[index] = open;
  if (open > (counts.peak[index] ?? 0)) counts.peak[index] = open;
}

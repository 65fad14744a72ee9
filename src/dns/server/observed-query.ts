import type { TraceStep } from '../plugin/query-trace.ts';
import type { Dispatched } from './dispatcher.ts';

/** One query of a client, and how its answer came about. */
export interface ObservedQuery {
  readonly dispatched: Dispatched;
  readonly steps: readonly TraceStep[];
  /** Who asked, `NAMESPACE/NAME`, where that is known. */
  readonly pod: string | undefined;
  readonly durationMs: number;
}

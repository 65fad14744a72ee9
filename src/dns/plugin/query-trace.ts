/** How one answer came about, step by step, for `dns explain` and the query log. */
export interface TraceStep {
  readonly plugin: string;
  /** What was found or decided: a sentence without a full stop. */
  readonly what: string;
  /** The API object behind it, e.g. `Service default/web`. */
  readonly object?: string;
}

export class QueryTrace {
  readonly steps: TraceStep[] = [];

  add(step: TraceStep): void {
    this.steps.push(step);
  }
}

import { LatencyRecorder } from './latency-recorder.ts';

/** Why a request got no answer. */
export const FAILURES = ['refused', 'unreachable', 'reset', 'overflow', 'unfinished'] as const;

/**
 * `refused` by the proxy (no backend to choose), `unreachable` (the chosen one is gone), `reset` (it went
 * away with the request), `overflow` (its queue was full), `unfinished` (still open when the run ended).
 */
export type Failure = (typeof FAILURES)[number];

/** Load over time: one row a sample, one column a backend. */
export interface Timeline {
  readonly intervalMs: number;
  readonly samples: number;
  /** Open connections at each sample's end. */
  readonly open: Uint32Array;
}

export interface RecorderOptions {
  /** By backend; what it is to have of connections is in proportion. */
  readonly weights: readonly number[];
  readonly sources: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
}

export const TIMELINE_SAMPLES = 120;

/** Collects what one run shows, from either engine. Requests due outside the measured window do not count. */
export class Recorder {
  readonly latency: LatencyRecorder = new LatencyRecorder();
  readonly failures: Record<Failure, number> = {
    refused: 0,
    unreachable: 0,
    reset: 0,
    overflow: 0,
    unfinished: 0,
  };
  /** Connections and answered requests of the measured window, by backend. */
  readonly connections: Uint32Array;
  readonly requests: Uint32Array;
  readonly openConnections: Int32Array;
  readonly peakConnections: Int32Array;
  readonly timeline: Timeline;
  /** All connections of the run, warm-up included. */
  totalConnections = 0;
  peakOpen = 0;
  /** Answered requests of the whole run. */
  answeredInAll = 0;
  /** Sources that came back after a change, and those of them that were sent elsewhere. */
  returned = 0;
  moved = 0;
  readonly #warmUpMs: number;
  readonly #durationMs: number;
  readonly #weights: readonly number[];
  readonly #lastBackend: Int32Array;
  readonly #lastEpoch: Int32Array;
  #epoch = 0;
  #open = 0;
  #sample = 0;
  #spreadSum = 0;
  #spreadCount = 0;

  constructor(options: RecorderOptions) {
    const { weights, sources } = options;
    const backends = weights.length;
    this.#weights = weights;
    this.#warmUpMs = options.warmUpMs;
    this.#durationMs = options.durationMs;
    this.connections = new Uint32Array(backends);
    this.requests = new Uint32Array(backends);
    this.openConnections = new Int32Array(backends);
    this.peakConnections = new Int32Array(backends);
    this.#lastBackend = new Int32Array(sources).fill(-1);
    this.#lastEpoch = new Int32Array(sources);
    this.timeline = {
      intervalMs: options.durationMs / TIMELINE_SAMPLES,
      samples: TIMELINE_SAMPLES,
      open: new Uint32Array(TIMELINE_SAMPLES * backends),
    };
  }

  /** When the next {@link takeSample} is due; Infinity after the last. */
  get nextSampleAt(): number {
    return this.#sample < TIMELINE_SAMPLES
      ? (this.#sample + 1) * this.timeline.intervalMs
      : Infinity;
  }

  /**
   * Mean over the samples of the measured window of (most open connections / mean), each divided by its weight
   * first, among the alive that have one.
   */
  get connectionSpread(): number {
    return this.#spreadCount === 0 ? 1 : this.#spreadSum / this.#spreadCount;
  }

  connected(backend: number, source: number, now: number): void {
    this.totalConnections += 1;
    const open = (this.openConnections[backend] as number) + 1;
    this.openConnections[backend] = open;
    if (open > (this.peakConnections[backend] as number)) this.peakConnections[backend] = open;
    this.#open += 1;
    if (this.#open > this.peakOpen) this.peakOpen = this.#open;
    this.attributed(backend, source, now);
  }

  /** A connection of `source` turned out to be with `backend`; for who cannot see it open and close. */
  attributed(backend: number, source: number, now: number): void {
    if (now >= this.#warmUpMs)
      this.connections[backend] = (this.connections[backend] as number) + 1;
    const last = this.#lastBackend[source] as number;
    if (last >= 0 && this.#lastEpoch[source] !== this.#epoch) {
      this.returned += 1;
      if (last !== backend) this.moved += 1;
    }
    this.#lastBackend[source] = backend;
    this.#lastEpoch[source] = this.#epoch;
  }

  /** Takes over what somebody else counted. */
  observed(open: Int32Array, peak: Int32Array): void {
    this.openConnections.set(open);
    this.peakConnections.set(peak);
    const total = open.reduce((sum, count) => sum + count, 0);
    if (total > this.peakOpen) this.peakOpen = total;
  }

  disconnected(backend: number): void {
    this.openConnections[backend] = (this.openConnections[backend] as number) - 1;
    this.#open -= 1;
  }

  answered(backend: number, intendedAt: number, now: number): void {
    this.answeredInAll += 1;
    if (!this.#counts(intendedAt)) return;
    this.requests[backend] = (this.requests[backend] as number) + 1;
    this.latency.record(now - intendedAt);
  }

  failed(failure: Failure, intendedAt: number): void {
    if (this.#counts(intendedAt)) this.failures[failure] += 1;
  }

  /** The set of backends changed: from here on, a source that goes elsewhere has moved. */
  backendsChanged(): void {
    this.#epoch += 1;
  }

  /** Closes one interval of the timeline. `isAlive` tells which backends the spread is about. */
  takeSample(isAlive: (backend: number) => boolean): void {
    const row = this.#sample * this.openConnections.length;
    let most = 0;
    let total = 0;
    let weights = 0;
    for (const [backend, open] of this.openConnections.entries()) {
      this.timeline.open[row + backend] = open;
      const weight = this.#weights[backend] ?? 0;
      if (weight === 0 || !isAlive(backend)) continue;
      weights += weight;
      total += open;
      if (open / weight > most) most = open / weight;
    }
    this.#sample += 1;
    if (total === 0 || this.#sample * this.timeline.intervalMs <= this.#warmUpMs) return;
    this.#spreadSum += (most * weights) / total;
    this.#spreadCount += 1;
  }

  #counts(intendedAt: number): boolean {
    return intendedAt >= this.#warmUpMs && intendedAt <= this.#durationMs;
  }
}

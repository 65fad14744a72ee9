import { build, type Histogram } from 'hdr-histogram-js';

/** 11 bits a magnitude: three significant digits, HdrHistogram's usual setting. */
const SUB_BUCKET_BITS = 11;
const HALF = 1 << (SUB_BUCKET_BITS - 1);
const HIGHEST_US = 0x7fff_ffff;

/**
 * Counts latencies in HdrHistogram's own buckets, microseconds, with two array writes a value; recording
 * into hdr-histogram-js directly costs ten times as much, too much for a simulation. Values above
 * 2,147 s count as that. {@link histogram} gives the real thing, without loss.
 */
export class LatencyRecorder {
  readonly #counts = new Float64Array((32 - SUB_BUCKET_BITS + 2) * HALF);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  /** The exact mean; 0 when nothing was recorded. */
  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** In milliseconds; 0 when nothing was recorded. */
  percentileMs(percentile: number): number {
    if (this.#count === 0) return 0;
    return Math.min(this.histogram().getValueAtPercentile(percentile) / 1000, this.#maxMs);
  }

  record(latencyMs: number): void {
    this.#count += 1;
    this.#sumMs += latencyMs;
    if (latencyMs > this.#maxMs) this.#maxMs = latencyMs;
    const us = latencyMs < HIGHEST_US / 1000 ? (latencyMs * 1000) | 0 : HIGHEST_US;
    const magnitude = 32 - SUB_BUCKET_BITS - Math.clz32(us | (2 * HALF - 1));
    const bucket = magnitude * HALF + (us >>> magnitude);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
  }

  /** Adds everything that `other` recorded. */
  add(other: LatencyRecorder): void {
    for (const [bucket, count] of other.#counts.entries())
      if (count > 0) this.#counts[bucket] = (this.#counts[bucket] as number) + count;
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }

  /** In microseconds. */
  histogram(): Histogram {
    const histogram = build({
      bitBucketSize: 64,
      lowestDiscernibleValue: 1,
      highestTrackableValue: HIGHEST_US,
      numberOfSignificantValueDigits: 3,
    });
    for (const [bucket, count] of this.#counts.entries())
      if (count > 0) histogram.recordValueWithCount(lowestOf(bucket), count);
    return histogram;
  }
}

/** The lowest value of a bucket, in microseconds. */
function lowestOf(bucket: number): number {
  if (bucket < 2 * HALF) return bucket;
  const magnitude = Math.floor(bucket / HALF) - 1;
  return (bucket - magnitude * HALF) * 2 ** magnitude;
}

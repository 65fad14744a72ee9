/** What `ipvsadm --stats` shows of a service or a destination. The director's "in" is from the client. */
export interface Traffic {
  connections: number;
  packetsIn: number;
  packetsOut: number;
  bytesIn: number;
  bytesOut: number;
}

/** Of the kernel's estimator (ip_vs_est.c): how often it looks. */
const INTERVAL_MS = 2000;

/** Its fixed point: rates a second with ten fraction bits, of bytes with five. A difference is of two seconds. */
const SCALE: Readonly<Record<keyof Traffic, number>> = {
  connections: 1024,
  packetsIn: 1024,
  packetsOut: 1024,
  bytesIn: 32,
  bytesOut: 32,
};
const FIELDS = Object.keys(SCALE) as (keyof Traffic)[];

/**
 * Counters, and the rates that `ipvsadm --rate` shows: every two seconds a quarter of the way to the rate of these two
 * seconds. Instead of a timer for every destination, whoever counts says {@link settle} first.
 */
export class TrafficMeter implements Traffic {
  connections = 0;
  packetsIn = 0;
  packetsOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly #seen: Traffic = noTraffic();
  readonly #levels: Traffic = noTraffic();
  /** The interval that counts now; -1: nothing has been counted. */
  #interval = -1;

  /** Ends the intervals that have passed. Before every change of a counter. */
  settle(nowMs: number): void {
    const interval = Math.floor(nowMs / INTERVAL_MS);
    if (interval === this.#interval) return;
    const passed = this.#interval < 0 ? 0 : interval - this.#interval;
    this.#interval = interval;
    if (passed > 0) for (const field of FIELDS) this.#estimate(field, passed);
  }

  totals(): Traffic {
    const { connections, packetsIn, packetsOut, bytesIn, bytesOut } = this;
    return { connections, packetsIn, packetsOut, bytesIn, bytesOut };
  }

  /** A second, rounded as the kernel does. */
  rates(nowMs: number): Traffic {
    this.settle(nowMs);
    const rates = noTraffic();
    for (const field of FIELDS) {
      const scale = SCALE[field];
      rates[field] = Math.floor((this.#levels[field] + scale / 2 - 1) / scale);
    }
    return rates;
  }

  /** What was counted belongs to the first of the intervals; in the others nothing happened. */
  #estimate(field: keyof Traffic, intervals: number): void {
    let rate = ((this[field] - this.#seen[field]) * SCALE[field]) / 2;
    this.#seen[field] = this[field];
    let level = this.#levels[field];
    for (let left = intervals; left > 0 && (rate !== 0 || level !== 0); left -= 1) {
      level += Math.floor((rate - level) / 4);
      rate = 0;
    }
    this.#levels[field] = level;
  }
}

function noTraffic(): Traffic {
  return { connections: 0, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };
}

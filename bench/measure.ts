/** How long one call takes, in nanoseconds of processor time. */
export interface Timing {
  readonly name: string;
  readonly nanoseconds: number;
}

const WARM_UP_MS = 60;
const MEASURE_MS = 250;
const ROUNDS = 3;

/**
 * Times `batch`, which makes `calls` calls. Processor time, so that a busy machine disturbs less; the best
 * of a few rounds, since everything that is not the code only adds.
 */
export function measure(name: string, calls: number, batch: () => void): Timing {
  spend(WARM_UP_MS, batch);
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { cpuMs, batches } = spend(MEASURE_MS, batch);
    best = Math.min(best, (cpuMs * 1e6) / (batches * calls));
  }
  return { name, nanoseconds: best };
}

function spend(forMs: number, batch: () => void): { cpuMs: number; batches: number } {
  const before = process.cpuUsage();
  let batches = 0;
  for (;;) {
    batch();
    batches += 1;
    const { user, system } = process.cpuUsage(before);
    const cpuMs = (user + system) / 1000;
    if (cpuMs >= forMs) return { cpuMs, batches };
  }
}

/** How a peer does the same, and how many times our time it takes. */
export function formatPeer(ours: Timing, peer: Timing): string {
  const times = peer.nanoseconds / ours.nanoseconds;
  return `${formatTiming({ ...peer, name: `  peer: ${peer.name}` })} ${times.toFixed(2).padStart(7)} ×`;
}

export function formatTiming({ name, nanoseconds }: Timing): string {
  const perSecond = Math.round(1e9 / nanoseconds).toLocaleString('en-US');
  return `${name.padEnd(44)} ${nanoseconds.toFixed(0).padStart(9)} ns ${perSecond.padStart(14)} /s`;
}

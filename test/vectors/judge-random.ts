// Traces of twos cannot be repeated draw by draw: they are replayed along the recorded choices, and the shares of all
// choices together must agree with the shares here.
import { type Random, seededRandom } from '../../src/base/random.ts';
import type { KernelBehaviour } from '../../src/proxy/ipvs/kernel.ts';
import type { ServiceListing } from '../../src/proxy/ipvs/listing.ts';
import { formatHostPort } from '../../src/base/ip.ts';
import type { Difference } from './judge.ts';
import { TracePlayer } from './player.ts';
import { canonicalName } from './services.ts';
import type { Trace, TraceEvent } from './trace.ts';

const RUNS = 20;
/** Standard deviations; a wrong share fails, bad luck once in a million traces. */
const SIGMAS = 5;

export interface SteeredRandom extends Random {
  /** From now on every draw leads to that destination, if anything does. */
  steer(services: readonly ServiceListing[], result: TraceEvent['result']): void;
}

/** Chance that decides as it did for the recorder: both draws of twos fall to the destination that was chosen. */
export function steeredRandom(): SteeredRandom {
  let draw = 0;
  return {
    uint32: () => draw,
    float: () => 0,
    below: (bound) => Math.min(draw, bound - 1),
    fork: () => steeredRandom(),
    steer(services, result) {
      draw = drawFor(services, typeof result === 'string' ? canonicalName(result) : '');
    },
  };
}

/** The weights of the usable destinations up to and with the wanted one: the draw at which the walk ends there. */
function drawFor(services: readonly ServiceListing[], wanted: string): number {
  for (const { destinations } of services) {
    let draw = 0;
    for (const { address, port, weight, overloaded } of destinations) {
      if (weight > 0 && !overloaded) draw += weight;
      if (formatHostPort(address, port) === wanted) return draw;
    }
  }
  return 0;
}

/** Over the whole trace each destination's share must agree with the share it has over some seeds here. */
export async function judgeShares(
  trace: Trace,
  kernel: KernelBehaviour,
): Promise<Difference | undefined> {
  const shares = new Map<string, number>();
  for (let run = 0; run < RUNS; run += 1) {
    const player = new TracePlayer(trace, kernel, seededRandom(`${trace.id} ${run}`));
    try {
      for (const event of trace.events) {
        const { result = null } = player.play(event);
        if (isChoice(event) && result !== null)
          shares.set(result, (shares.get(result) ?? 0) + 1 / RUNS);
      }
    } finally {
      await player.close();
    }
  }
  return compareShares(trace, shares);
}

function isChoice({ op }: TraceEvent): boolean {
  return op === 'connect' || op === 'udp';
}

function compareShares(trace: Trace, shares: ReadonlyMap<string, number>): Difference | undefined {
  const recorded = new Map<string, number>();
  for (const event of trace.events) {
    if (!isChoice(event) || typeof event.result !== 'string') continue;
    const name = canonicalName(event.result);
    recorded.set(name, (recorded.get(name) ?? 0) + 1);
  }
  const total = [...recorded.values()].reduce((sum, count) => sum + count, 0);
  for (const name of new Set([...recorded.keys(), ...shares.keys()])) {
    const expected = recorded.get(name) ?? 0;
    const mean = shares.get(name) ?? 0;
    const deviation = Math.sqrt((mean * Math.max(total - mean, 0)) / Math.max(total, 1));
    if (Math.abs(expected - mean) <= SIGMAS * deviation + 2) continue;
    const what = `how often ${name} is chosen`;
    return { index: trace.events.length, what, event: 'end', expected, actual: mean };
  }
  return undefined;
}

import { seededRandom } from '../../base/random.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type ArrivalStream, arrivalStream } from './arrival-stream.ts';
import { type Sampler, samplerOf } from './sampler.ts';
import { type SourceStream, sourceStream } from './source-stream.ts';

/** Everything random about the clients of one run. */
export interface TrafficStreams {
  readonly arrivals: ArrivalStream;
  readonly source: SourceStream;
  readonly gap: Sampler | undefined;
  readonly think: Sampler | undefined;
  /** The node a load balancer in front would send the next connection to. */
  readonly entryNode: () => number;
}

/** Both engines draw from these, so the same seed gives the same traffic in either. */
export function trafficStreams(scenario: Scenario, seed: string): TrafficStreams {
  const random = seededRandom(seed);
  const { arrivals, connection } = scenario;
  const { gap } = connection;
  const entry = random.fork('entry');
  const think = arrivals.kind === 'closed' ? arrivals.think : undefined;
  return {
    arrivals: arrivalStream(arrivals, random.fork('arrivals')),
    source: sourceStream(scenario.sources, random.fork('sources')),
    gap: gap === undefined ? undefined : samplerOf(gap, random.fork('gaps')),
    think: think === undefined ? undefined : samplerOf(think, random.fork('think')),
    entryNode: () => entry.below(scenario.nodes),
  };
}

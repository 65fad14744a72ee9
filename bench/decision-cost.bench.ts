// What one decision costs, by number of backends: open a connection and close another, 64 open at a time.
import { writeFileSync } from 'node:fs';
import { ManualClock } from '../src/base/clock.ts';
import { seededRandom } from '../src/base/random.ts';
import type { Algorithm } from '../src/bench/algorithms/balancer.ts';
import { algorithmNamed } from '../src/bench/algorithms/registry.ts';
import { linesPlot } from '../src/bench/report/plots/lines-plot.ts';
import { standaloneSvg } from '../src/bench/report/plots/svg.ts';
import { podAddress, sourceAddress } from '../src/bench/scenario/network-plan.ts';
import { formatTiming, measure, type Timing } from './measure.ts';

const SIZES = [10, 100, 1000, 10_000] as const;
const NAMES = [
  'iptables',
  'nftables',
  'userspace',
  'ipvs-rr',
  'ipvs-lc',
  'ipvs-sh',
  'ipvs-mh',
  'p2c',
  'jsq',
] as const;
const OPEN = 64;
const CALLS = 2000;

export function decisionCost(print: (line: string) => void, pictureAt: string | undefined): void {
  print('decision cost by backends');
  const curves = NAMES.map((name) => ({
    name,
    points: SIZES.map((backends) => {
      const timing = timeDecision(algorithmNamed(name), backends);
      print(formatTiming(timing));
      return { x: backends, y: timing.nanoseconds };
    }),
  }));
  if (pictureAt === undefined) return;
  const svg = linesPlot({
    title: 'Processor time of one decision by number of backends',
    x: 'backends',
    y: 'ns a decision',
    curves,
  });
  writeFileSync(pictureAt, standaloneSvg(svg));
}

function timeDecision(algorithm: Algorithm, backends: number): Timing {
  const clock = new ManualClock();
  const balancer = algorithm.create({
    node: 0,
    protocol: 'TCP',
    random: seededRandom(1),
    clock,
    maximumBackends: backends,
    sourceAddress,
    globalInSystem: new Int32Array(backends).fill(1),
  });
  balancer.update(
    Array.from({ length: backends }, (_, index) => ({ index, weight: 1, ...podAddress(index) })),
  );
  let next = 0;
  for (let slot = 0; slot < OPEN; slot += 1) balancer.open(slot, slot, 40_000);
  return measure(`${algorithm.name}, ${backends} backends`, CALLS, () => {
    for (let call = 0; call < CALLS; call += 1) {
      next += 1;
      const slot = next % OPEN;
      balancer.close(slot, 'client');
      balancer.open(slot, next % 1000, 1024 + (next % 50_000));
    }
    // Lets what is counted for two minutes after its end come to an end.
    clock.advance(CALLS / 10);
  });
}

// npm run bench [-- DIR]: times what is hot, on this machine. Figures are reported, never asserted. With a
// folder, the cost of decisions is drawn there as decision-cost.svg.
import { join } from 'node:path';
import { machineInfo } from '../src/bench/live/machine-info.ts';
import { decisionCost } from './decision-cost.bench.ts';
import { parts } from './parts.bench.ts';
import { simulationSpeed } from './simulation-speed.bench.ts';

const print = (line: string): void => console.log(line);
const [folder] = process.argv.slice(2);
const { cpu, cores, node } = machineInfo(new Map());

print(
  `${cpu}, ${cores} cores, Node.js ${node}; processor time, best of three; a peer's last column: times ours`,
);
simulationSpeed(print);
decisionCost(print, folder === undefined ? undefined : join(folder, 'decision-cost.svg'));
await parts(print);

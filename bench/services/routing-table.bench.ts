// Building, changing and asking one node's routing table by number of Services, 5 endpoints each:
//   node --expose-gc --import tsx bench/services/routing-table.bench.ts
// Build: all objects known at once, to a table with the mode updated. Change: one endpoint more or less of one
// Service, from the slice to the swapped table. Decision: a pod's connection to a random Service. Memory: what the
// heap holds for table and mode, the API's objects not counted.
import type { Service } from '../../src/api/types/core.ts';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import { ManualClock } from '../../src/base/clock.ts';
import { formatIpv4 } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { Flow } from '../../src/proxy/flow.ts';
import { PROXY_MODES } from '../../src/proxy/modes/mode-table.ts';
import { nodeContext } from '../../src/proxy/node-context.ts';
import type { ProxyMode, ProxyModeName } from '../../src/proxy/proxy-mode.ts';
import { RoutingState } from '../../src/services/routing-state.ts';
import { endpoint, service, slice } from '../../test/services/objects.ts';

const SIZES = [1000, 10_000, 30_000] as const;
const ENDPOINTS = 5;
const CHANGES = 400;
const DECISIONS = 200_000;
const FLOWS = 4096;

const SERVICE_BASE = 0x0a60_0000;
const POD_BASE = 0x0af4_0000;

function serviceAddress(index: number): string {
  return formatIpv4(SERVICE_BASE + 1 + index);
}

function sliceOf(index: number, count: number): EndpointSlice {
  const endpoints = Array.from({ length: count }, (_, at) =>
    endpoint(formatIpv4(POD_BASE + ((index * ENDPOINTS + at) % 60_000)), `node-${at % 3}`),
  );
  return slice(endpoints, { service: `svc-${index}` });
}

interface Objects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

function objects(size: number): Objects {
  const numbers = Array.from({ length: size }, (_, index) => index);
  return {
    services: numbers.map((index) =>
      service({ name: `svc-${index}`, clusterIP: serviceAddress(index) }),
    ),
    slices: numbers.map((index) => sliceOf(index, ENDPOINTS)),
  };
}

function heapMiB(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('run node with --expose-gc');
  gc();
  gc();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

async function bench(modeName: ProxyModeName, size: number): Promise<void> {
  const { services, slices } = objects(size);
  const heapBefore = heapMiB();
  const clock = new ManualClock();
  const began = performance.now();
  const state = new RoutingState({ nodeName: 'node-0', zone: '' });
  const mode = PROXY_MODES[modeName]({
    context: nodeContext({ nodeIPs: ['192.168.0.2'] }),
    clock,
    random: seededRandom('bench'),
  });
  for (const one of services) state.setService(one);
  for (const one of slices) state.setSlice(one);
  mode.update(state.build().table);
  const buildMs = performance.now() - began;
  const memoryMiB = heapMiB() - heapBefore;
  const changesUs = timeChanges(state, mode, size);
  const decisionNs = timeDecisions(mode, size, clock);
  await mode.close();
  console.log(
    `${modeName.padEnd(10)} ${String(size).padStart(6)} Services  build ${buildMs.toFixed(0).padStart(5)} ms  ${memoryMiB.toFixed(1).padStart(6)} MiB  change ${changesUs.toFixed(1).padStart(6)} µs  decision ${decisionNs.toFixed(0).padStart(5)} ns`,
  );
}

/** Median, so that a collection in between does not count. */
function timeChanges(state: RoutingState, mode: ProxyMode, size: number): number {
  const random = seededRandom('changes');
  const times: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const changed = sliceOf(random.below(size), ENDPOINTS + 1 - (change % 2) * 2);
    const began = performance.now();
    state.setSlice(changed);
    mode.update(state.build().table);
    times.push((performance.now() - began) * 1000);
  }
  return times.toSorted((a, b) => a - b)[CHANGES >> 1] ?? 0;
}

function timeDecisions(mode: ProxyMode, size: number, clock: ManualClock): number {
  const random = seededRandom('decisions');
  const flows = Array.from(
    { length: FLOWS },
    (_, index): Flow => ({
      protocol: 'TCP',
      source: { address: formatIpv4(POD_BASE + random.below(60_000)), port: 10_000 + index },
      destination: { address: serviceAddress(random.below(size)), port: 80 },
    }),
  );
  const ask = (count: number): number => {
    const began = performance.now();
    for (let call = 0; call < count; call += 1) {
      const decision = mode.decide(flows[call % FLOWS] as Flow);
      if (decision.kind === 'forward') decision.binding?.event('closed');
      if (call % FLOWS === 0) clock.advance(20_000);
    }
    return ((performance.now() - began) * 1e6) / count;
  };
  ask(DECISIONS / 4);
  return Math.min(ask(DECISIONS), ask(DECISIONS));
}

for (const modeName of ['iptables', 'nftables', 'userspace', 'ipvs'] as const)
  for (const size of SIZES) await bench(modeName, size);

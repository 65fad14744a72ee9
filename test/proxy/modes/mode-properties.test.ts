// What every mode must hold for any Service, slices and configuration.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { Flow } from '../../../src/proxy/flow.ts';
import { PROXY_MODES } from '../../../src/proxy/modes/mode-table.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import type { ProxyMode, ProxyModeName, Reach } from '../../../src/proxy/proxy-mode.ts';
import { buildRoutingTable } from '../../../src/services/routing-state.ts';
import { cidr } from '../../ipam/addresses.ts';
import { endpoint, service, type ServiceShape, slice } from '../../services/objects.ts';

const NODE_IP = '192.168.0.2';
const HERE = { nodeName: 'here', zone: 'a' };
const MODES = Object.keys(PROXY_MODES) as ProxyModeName[];

const policy = fc.constantFrom('Cluster' as const, 'Local' as const);

const shapes: fc.Arbitrary<ServiceShape> = fc
  .record({
    type: fc.constantFrom('ClusterIP' as const, 'NodePort' as const, 'LoadBalancer' as const),
    externalTrafficPolicy: policy,
    internalTrafficPolicy: policy,
    sessionAffinity: fc.constantFrom('None' as const, 'ClientIP' as const),
    externalIPs: fc.constantFrom<string[]>([], ['203.0.113.7']),
    loadBalancerSourceRanges: fc.constantFrom<string[]>([], ['203.0.113.0/25'], ['10.0.0.0/8']),
  })
  .map((shape) => ({
    ...shape,
    ports: [{ port: 80, nodePort: 30_001 }],
    ingress: ['198.51.100.4'],
  }));

const endpoints = fc.array(
  fc.record({
    last: fc.integer({ min: 1, max: 9 }),
    node: fc.constantFrom('here', 'far', undefined),
    state: fc.constantFrom(
      'ready' as const,
      'unready' as const,
      'terminating' as const,
      'dead' as const,
    ),
    zone: fc.constantFrom('a', 'b', undefined),
  }),
  { maxLength: 6 },
);

const sources = fc.constantFrom(
  '10.244.1.1',
  '10.244.2.99',
  NODE_IP,
  '203.0.113.2',
  '203.0.113.130',
  '198.51.100.4',
);
const destinations = fc.constantFrom(
  '10.96.0.10:80',
  '198.51.100.4:80',
  '203.0.113.7:80',
  `${NODE_IP}:30001`,
  '10.96.0.10:81',
  '10.96.0.99:80',
  '127.0.0.1:30001',
);

const worlds = fc.record({
  shape: shapes,
  endpoints,
  flows: fc.array(fc.tuple(sources, destinations), { minLength: 1, maxLength: 12 }),
  detector: fc.boolean(),
  masqueradeAll: fc.boolean(),
  seed: fc.integer(),
});

type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

function setUp(name: ProxyModeName, world: World) {
  const table = buildRoutingTable(HERE, {
    services: [service(world.shape)],
    slices: [
      slice(
        world.endpoints.map(({ last, node, state, zone }) =>
          endpoint(
            `10.244.1.${last}`,
            node,
            state,
            zone === undefined ? {} : { hints: { forZones: [{ name: zone }] } },
          ),
        ),
      ),
    ],
  });
  const mode = PROXY_MODES[name]({
    context: nodeContext({
      nodeIPs: [NODE_IP],
      masqueradeAll: world.masqueradeAll,
      detectLocal: world.detector
        ? { mode: 'ClusterCIDR', cidrs: [cidr('10.244.0.0/16')] }
        : undefined,
      serviceCIDRs: [cidr('10.96.0.0/16')],
    }),
    clock: new ManualClock(),
    random: seededRandom(world.seed),
  });
  mode.update(table);
  return { mode, table };
}

function flowOf([source, destination]: [string, string], index: number): Flow {
  const [address = '', port] = destination.split(':');
  return {
    protocol: 'TCP',
    source: { address: source, port: 40_000 + index },
    destination: { address, port: Number(port) },
  };
}

/** Checks each flow of many worlds beside what the mode can reach for it. */
async function checkFlows(
  name: ProxyModeName,
  check: (mode: ProxyMode, flow: Flow, reach: Reach, world: World) => void,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(worlds, async (world) => {
      const { mode } = setUp(name, world);
      for (const [index, pair] of world.flows.entries()) {
        const flow = flowOf(pair, index);
        check(mode, flow, mode.reach(flow), world);
      }
      await mode.close();
    }),
    { numRuns: 200 },
  );
}

describe.each(MODES)('%s', (name) => {
  test('has odds of all that it can reach, and only where nothing but chance decides', async () => {
    const draws = name === 'iptables' || name === 'nftables';
    await checkFlows(name, (mode, flow, { verdict, endpoints: reachable }, { shape }) => {
      const remembers = shape.sessionAffinity === 'ClientIP';
      const expected =
        draws && verdict === 'forward' && !remembers
          ? reachable.map(({ address, snat }) => [address, snat])
          : undefined;
      const forwards = mode
        .odds(flow)
        ?.forwards.map(({ endpoint: { address, port }, masquerade }) => [
          `${address}:${port}`,
          masquerade,
        ]);
      expect(forwards).toEqual(expected);
    });
  });

  test('decides what it says it can reach, with the source it says', async () => {
    await checkFlows(name, (mode, flow, { verdict, endpoints: reachable }) => {
      const decision = mode.decide(flow);
      expect(decision.kind).toBe(verdict);
      if (decision.kind !== 'forward') return;
      const { address, port } = decision.endpoint;
      const found = reachable.find((one) => one.address === `${address}:${port}`);
      expect(found?.snat, 'an endpoint within reach').toBe(decision.masquerade);
    });
  });

  test('never leaves the endpoint’s category', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const { mode, table } = setUp(name, world);
        const [servicePort] = [...table.servicePorts.values()];
        for (const [index, pair] of world.flows.entries()) {
          const { endpoints: reachable } = mode.reach(flowOf(pair, index));
          const usable = servicePort?.endpoints.filter(
            (one) => one.ready || (name !== 'userspace' && one.serving && one.terminating),
          );
          for (const { address, probability } of reachable) {
            expect(usable?.map(({ key }) => key)).toContain(address);
            expect(probability).toBeCloseTo(1 / reachable.length);
          }
        }
        await mode.close();
      }),
      { numRuns: 100 },
    );
  });

  test('a stance holds for every source', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async (world) => {
        const { mode, table } = setUp(name, world);
        for (const servicePort of table.servicePorts.values())
          for (const frontend of servicePort.frontends) {
            const stance = mode.stance(frontend);
            if (stance === 'mixed') continue;
            for (const [index, [source]] of world.flows.entries())
              for (const address of mode.addresses(frontend)) {
                const flow = flowOf([source, `${address}:${frontend.port}`], index);
                expect(mode.reach(flow).verdict).toBe(stance);
              }
          }
        await mode.close();
      }),
      { numRuns: 100 },
    );
  });
});

describe.each(['iptables', 'nftables'] as const)('%s', (name) => {
  test('is uniform within its confidence bounds over seeds', async () => {
    const count = 5;
    const draws = 2000;
    // A chi-square value of four degrees of freedom passes 28.5 once in 100,000.
    const limit = 28.5;
    for (let seed = 0; seed < 30; seed += 1) {
      const { mode } = setUp(name, {
        shape: {},
        endpoints: Array.from({ length: count }, (_, index) => ({
          last: index + 1,
          node: 'here',
          state: 'ready' as const,
          zone: undefined,
        })),
        flows: [],
        detector: false,
        masqueradeAll: false,
        seed,
      });
      const seen = new Map<string, number>();
      for (let draw = 0; draw < draws; draw += 1) {
        const decision = mode.decide(flowOf(['10.244.2.99', '10.96.0.10:80'], draw));
        const key = decision.kind === 'forward' ? decision.endpoint.address : decision.kind;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      const expected = draws / count;
      const chiSquare = [...seen.values()].reduce(
        (sum, observed) => sum + (observed - expected) ** 2 / expected,
        0,
      );
      expect(seen.size, `seed ${seed}`).toBe(count);
      expect(chiSquare, `seed ${seed}`).toBeLessThan(limit);
      await mode.close();
    }
  });
});

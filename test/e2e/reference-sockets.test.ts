// What explain says of a flow, and what a client with a socket then meets: combinations of policies, endpoints, clients
// and addresses in every mode. test/node/reference-flows.test.ts holds explain to the rule tables.
import { describe, expect, test } from 'vitest';
import type { SliceEndpoint } from '../../src/api/types/discovery.ts';
import { explainFlow, type FlowExplanation } from '../../src/proxy/explain-flow.ts';
import type { SocketAddress } from '../../src/proxy/flow.ts';
import type { ProxyModeName } from '../../src/proxy/proxy-mode.ts';
import {
  BACKEND_PORT,
  encounter,
  NODE_A,
  NODE_B,
  patienceMs,
  POD_OF_A,
  POD_OF_B,
  startCluster,
  STRANGER,
  VIP,
  web,
  webSlice,
} from '../conformance/proxy/harness.ts';
import { endpoint, type ServiceShape } from '../services/objects.ts';

const ON_A = '127.244.200.10';
const ON_B = '127.244.201.10';
const EXTERNAL_IP = '127.18.254.7';
const LB_IP = '127.18.254.8';
const NODE_PORT = 31_210;

const LB: ServiceShape = {
  type: 'LoadBalancer',
  ports: [{ port: 8080, protocol: 'TCP', nodePort: NODE_PORT }],
  externalIPs: [EXTERNAL_IP],
  ingress: [LB_IP],
};
const ETP_LOCAL: ServiceShape = { ...LB, externalTrafficPolicy: 'Local' };
const ITP_LOCAL: ServiceShape = { ...LB, internalTrafficPolicy: 'Local' };

const SHAPES: Readonly<Record<string, ServiceShape>> = {
  'both policies Cluster': LB,
  'eTP Local': ETP_LOCAL,
  'iTP Local': ITP_LOCAL,
  'both policies Local': { ...ETP_LOCAL, internalTrafficPolicy: 'Local' },
  'source ranges': { ...LB, loadBalancerSourceRanges: ['127.18.200.0/24', '127.244.201.0/24'] },
  'source ranges and eTP Local': { ...ETP_LOCAL, loadBalancerSourceRanges: ['127.18.253.0/24'] },
  'ClusterIP with iTP Local': { internalTrafficPolicy: 'Local' },
};

const ENDPOINTS: Readonly<Record<string, SliceEndpoint[]>> = {
  'one on each node': [endpoint(ON_A, 'a'), endpoint(ON_B, 'b')],
  'one on the second node': [endpoint(ON_B, 'b')],
  none: [],
  'all terminating': [endpoint(ON_A, 'a', 'terminating'), endpoint(ON_B, 'b', 'terminating')],
  'terminating here, ready there': [endpoint(ON_A, 'a', 'terminating'), endpoint(ON_B, 'b')],
};

const CLIENTS = [STRANGER, NODE_A, NODE_B, POD_OF_A, POD_OF_B, ON_A];

const TO: readonly SocketAddress[] = [
  VIP,
  { ...VIP, port: 8081 },
  { address: EXTERNAL_IP, port: 8080 },
  { address: LB_IP, port: 8080 },
  { address: NODE_A, port: NODE_PORT },
  { address: NODE_B, port: NODE_PORT },
];

/** Connections a flow, so that one answer is not the only one there is. */
const TRIES = 2;

/** Undefined when a client met what explain says. */
function difference(
  { verdict, endpoints }: FlowExplanation,
  met: string,
  client: string,
  node: string,
  mode: ProxyModeName,
): string | undefined {
  const possible = (): readonly string[] => {
    switch (verdict) {
      case 'forward':
        return endpoints.map(
          ({ address, snat }) =>
            `${address.replace(`:${BACKEND_PORT}`, '')} ${snat ? node : client}`,
        );
      case 'drop':
        return ['silence'];
      case 'reject':
        return mode === 'userspace' ? ['fin'] : ['ECONNREFUSED', 'ECONNRESET'];
      case 'pass':
        return ['ECONNREFUSED', 'ECONNRESET'];
    }
  };
  return possible().includes(met) ? undefined : `${met} instead of ${possible().join(' or ')}`;
}

describe.each(['iptables', 'nftables', 'ipvs', 'userspace'] as const)('%s mode', (mode) => {
  test.each(Object.keys(SHAPES))('%s', async (shape) => {
    const setting = { mode, engine: 'net' } as const;
    await using cluster = await startCluster(setting, { pods: [ON_A, ON_B] });
    const [first, second] = cluster.proxiers;
    if (first === undefined || second === undefined) throw new Error('there are two nodes');
    for (const [state, endpoints] of Object.entries(ENDPOINTS)) {
      await cluster.apply(web(SHAPES[shape]), webSlice(endpoints));
      const flows = CLIENTS.flatMap((from) => TO.map((to) => ({ from, to })));
      const wrong = await Promise.all(
        flows.map(async ({ from, to }) => {
          // A node's address is that node's; anything else is entered where the client belongs.
          const owner = [NODE_A, NODE_B].includes(to.address) ? to.address : from;
          const proxier = second.owns(owner) ? second : first;
          const source = { address: from, port: 40_000 };
          const said = explainFlow(proxier.mode, { protocol: 'TCP', source, destination: to });
          const node = proxier === second ? NODE_B : NODE_A;
          const problems: string[] = [];
          for (let attempt = 0; attempt < TRIES; attempt += 1) {
            const expected = said.verdict === 'drop' ? 'silence' : 'an answer';
            const met = await encounter(to, from, patienceMs(expected));
            const problem = difference(said, met, from, node, mode);
            if (problem !== undefined)
              problems.push(`${state}: ${from} to ${to.address}:${to.port}: ${problem}`);
          }
          return problems;
        }),
      );
      expect(wrong.flat()).toEqual([]);
    }
  });
});

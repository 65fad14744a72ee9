import { expect, test } from 'vitest';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import { endpoint, slice } from '../services/objects.ts';
import { ending, readAll } from '../support/tcp.ts';
import { until } from '../support/until.ts';
import {
  backendsMet,
  BACKEND_PORT,
  CLUSTER_IP,
  type ClusterSetting,
  greet,
  IPV6_ENDPOINTS,
  expectMet,
  NODE_A,
  startCluster,
  UdpClient,
  VIP,
  visit,
  web,
} from './proxy/harness.ts';

const LOCALHOST = '::1';
const VIP6 = { address: LOCALHOST, port: 8080 };
const NODE_PORT6 = { address: LOCALHOST, port: 31_200 };
const ON_A = '127.244.200.10';
const NODES = [{ name: 'a', nodeIPs: [NODE_A, LOCALHOST], podCIDRs: ['127.244.200.0/24'] }];
const SINGLE = { clusterIP: LOCALHOST, ipFamilies: ['IPv6' as const] };
const [FIRST, SECOND] = IPV6_ENDPOINTS;
const name = ({ port }: { port: number }): string => `pod-${port}`;

/** One slice an endpoint: ports are a slice's. */
function slices(protocol: 'TCP' | 'UDP', ...ready: readonly { port: number }[]): EndpointSlice[] {
  return IPV6_ENDPOINTS.map((at) =>
    slice(ready.some(({ port }) => port === at.port) ? [endpoint(at.address, 'a')] : [], {
      name: `web-${at.port}`,
      addressType: 'IPv6',
      ports: [{ name: '', port: at.port, protocol }],
    }),
  );
}

/** What the modes owe IPv6 clients too, where ::1 is all there is: ports stand for addresses. */
export function proxyIpv6Conformance(
  setting: ClusterSetting,
  { relays }: { relays: boolean },
): void {
  test('a ClusterIP leads to every endpoint, and to none when there is none', async () => {
    await using cluster = await startCluster(setting, { nodes: NODES });
    for (const at of IPV6_ENDPOINTS) await cluster.startPod(at, name(at));
    await cluster.apply(web(SINGLE), ...slices('TCP', FIRST, SECOND));
    expect(await backendsMet(30, VIP6, LOCALHOST)).toEqual(IPV6_ENDPOINTS.map(name));
    expect((await visit(VIP6, LOCALHOST)).client).toBe(LOCALHOST);
    await cluster.apply(...slices('TCP'));
    await expectMet(VIP6, relays ? 'fin' : 'ECONNREFUSED', LOCALHOST);
    expect(cluster.problems).toEqual([]);
  });

  test('session affinity keeps a client where it was', async () => {
    await using cluster = await startCluster(setting, { nodes: NODES });
    for (const at of IPV6_ENDPOINTS) await cluster.startPod(at, name(at));
    const sessionAffinity = 'ClientIP' as const;
    await cluster.apply(web({ ...SINGLE, sessionAffinity }), ...slices('TCP', FIRST, SECOND));
    expect(await backendsMet(8, VIP6, LOCALHOST)).toHaveLength(1);
  });

  test('half-close and reset are passed on', async () => {
    await using cluster = await startCluster(setting, { nodes: NODES });
    await cluster.startPod(FIRST, name(FIRST));
    await cluster.apply(web(SINGLE), ...slices('TCP', FIRST));
    const talker = await greet(VIP6, LOCALHOST);
    talker.socket.end('last words');
    const answer = (await readAll(talker.socket)).toString();
    expect(relays ? 'last words' : answer).toBe('last words');
    const { socket } = await greet(VIP6, LOCALHOST);
    const end = ending(socket);
    cluster.sockets.at(-1)?.resetAndDestroy();
    expect(await end).toBe('ECONNRESET');
  });

  test('a NodePort is open on the node, and each family of a dual-stack Service has its own endpoints', async () => {
    await using cluster = await startCluster(setting, { nodes: NODES, pods: [ON_A] });
    await cluster.startPod(FIRST, name(FIRST));
    const ipv4 = slice([endpoint(ON_A, 'a')], {
      ports: [{ name: '', port: BACKEND_PORT, protocol: 'TCP' }],
    });
    await cluster.apply(
      web({
        type: 'NodePort',
        ipFamilies: ['IPv4', 'IPv6'],
        clusterIPs: [CLUSTER_IP, LOCALHOST],
        ports: [{ port: 8080, protocol: 'TCP', nodePort: NODE_PORT6.port }],
      }),
      ipv4,
      ...slices('TCP', FIRST),
    );
    expect(await backendsMet(6, VIP)).toEqual([ON_A]);
    expect(await backendsMet(6, VIP6, LOCALHOST)).toEqual([name(FIRST)]);
    expect(await backendsMet(6, { address: NODE_A, port: NODE_PORT6.port })).toEqual([ON_A]);
    expect(await backendsMet(6, NODE_PORT6, LOCALHOST)).toEqual([name(FIRST)]);
  });

  test('datagrams of a client stay together until their endpoint stops serving', async () => {
    await using cluster = await startCluster(setting, { nodes: NODES });
    for (const at of IPV6_ENDPOINTS) await cluster.startUdpPod(at, name(at));
    await cluster.apply(
      web({ ...SINGLE, ports: [{ port: 8080, protocol: 'UDP' }] }),
      ...slices('UDP', FIRST),
    );
    await using client = await UdpClient.bind(LOCALHOST);
    expect(await client.ask(VIP6)).toBe(`${name(FIRST)} ${LOCALHOST}`);
    await cluster.apply(...slices('UDP', FIRST, SECOND));
    for (let round = 0; round < 10; round += 1)
      expect(await client.ask(VIP6)).toBe(`${name(FIRST)} ${LOCALHOST}`);
    await cluster.apply(...slices('UDP', SECOND));
    // A relay's sockets end by silence only.
    await until(() => !relays || [...(cluster.proxiers[0]?.udpFlows ?? [])].length === 0);
    expect(await client.ask(VIP6)).toBe(`${name(SECOND)} ${LOCALHOST}`);
  });
}

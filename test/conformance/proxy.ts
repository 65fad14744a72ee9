import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import type { SocketAddress } from '../../src/proxy/flow.ts';
import { endpoint } from '../services/objects.ts';
import { ending, readAll, readBytes } from '../support/tcp.ts';
import { until } from '../support/until.ts';
import {
  backendsMet,
  type ClusterSetting,
  CLUSTER_IP,
  greet,
  expectMet,
  NODE_A,
  NODE_B,
  POD_OF_A,
  POD_OF_B,
  startCluster,
  STRANGER,
  UdpClient,
  VIP,
  visit,
  web,
  webSlice,
} from './proxy/harness.ts';

/** Where the modes differ in what a client meets. */
export interface ModeTraits {
  /** The mode is a program between two connections: no policies, no client addresses, no half-close. */
  readonly relays: boolean;
  /** 127.0.0.1 answers node ports, at the first node. */
  readonly localhostNodePorts: boolean;
  /** What a client of a node without local endpoints meets under internalTrafficPolicy Local. */
  readonly withoutLocal: 'silence' | 'ECONNRESET' | typeof ON_A;
  /** What an outsider meets at such a node's port under externalTrafficPolicy Local. */
  readonly outsiderWithoutLocal: 'silence' | typeof ON_A;
}

const ON_A = '127.244.200.10';
const ON_B = '127.244.201.10';
const NODE_PORT = 31_200;

/** What clients of every proxy mode meet on every engine, over real sockets on fixed addresses. */
export function proxyConformance(setting: ClusterSetting, traits: ModeTraits): void {
  test('a ClusterIP leads to every endpoint', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A, ON_B] });
    await cluster.apply(web(), webSlice([endpoint(ON_A, 'a'), endpoint(ON_B, 'b')]));
    expect(await backendsMet(30, VIP)).toEqual([ON_A, ON_B]);
    expect(cluster.problems).toEqual([]);
  });

  test('endpoints see pods by their own address and strangers as the node they entered', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A] });
    await cluster.apply(web(), webSlice([endpoint(ON_A, 'a')]));
    expect((await visit(VIP, STRANGER)).client).toBe(NODE_A);
    expect((await visit(VIP, NODE_B)).client).toBe(NODE_B);
    expect((await visit(VIP, POD_OF_A)).client).toBe(traits.relays ? NODE_A : POD_OF_A);
    expect((await visit(VIP, POD_OF_B)).client).toBe(traits.relays ? NODE_B : POD_OF_B);
  });

  test('a pod that reaches itself through its Service sees the node', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A] });
    await cluster.apply(web(), webSlice([endpoint(ON_A, 'a')]));
    expect((await visit(VIP, ON_A)).client).toBe(NODE_A);
  });

  test('a NodePort is open on every node, and on localhost where the mode says so', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A] });
    const ports = [{ port: 8080, protocol: 'TCP' as const, nodePort: NODE_PORT }];
    await cluster.apply(web({ type: 'NodePort', ports }), webSlice([endpoint(ON_A, 'a')]));
    for (const address of [NODE_A, NODE_B])
      expect(await visit({ address, port: NODE_PORT })).toEqual({
        backend: ON_A,
        client: address,
      });
    const localhost = { address: '127.0.0.1', port: NODE_PORT };
    await expectMet(localhost, traits.localhostNodePorts ? ON_A : 'ECONNREFUSED', '127.0.0.1');
  });

  test('external and load balancer addresses lead to the endpoints', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A] });
    const externalIPs = ['127.18.254.7'];
    const shape = { type: 'LoadBalancer' as const, externalIPs, ingress: ['127.18.254.8'] };
    await cluster.apply(web(shape), webSlice([endpoint(ON_A, 'a')]));
    for (const address of ['127.18.254.7', '127.18.254.8'])
      expect(await visit({ address, port: 8080 })).toEqual({ backend: ON_A, client: NODE_A });
  });

  test('without endpoints clients are refused, until there are some', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A] });
    await cluster.apply(web());
    await expectMet(VIP, traits.relays ? 'fin' : 'ECONNREFUSED');
    await cluster.apply(webSlice([endpoint(ON_A, 'a')]));
    await expectMet(VIP, ON_A);
    await cluster.apply(webSlice([endpoint(ON_A, 'a', 'unready')]));
    await expectMet(VIP, traits.relays ? 'fin' : 'ECONNREFUSED');
    await cluster.remove(web());
    await expectMet(VIP, 'ECONNREFUSED');
  });

  test('an endpoint that refuses refuses the client', async () => {
    await using cluster = await startCluster(setting);
    await cluster.apply(web(), webSlice([endpoint(ON_A, 'a')]));
    await expectMet(VIP, traits.relays ? 'fin' : 'ECONNRESET');
  });

  test('session affinity keeps a client where it was, another may go elsewhere', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A, ON_B] });
    const sessionAffinity = 'ClientIP' as const;
    const slices = webSlice([endpoint(ON_A, 'a'), endpoint(ON_B, 'b')]);
    await cluster.apply(web({ sessionAffinity }), slices);
    for (const client of [STRANGER, POD_OF_A, POD_OF_B])
      expect(await backendsMet(8, VIP, client)).toHaveLength(1);
    const met = new Set<string>();
    for (let host = 1; host <= 24; host += 1)
      met.add((await visit(VIP, `127.244.200.${100 + host}`)).backend);
    expect([...met].toSorted()).toEqual([ON_A, ON_B]);
  });

  test('internalTrafficPolicy Local keeps a client on the node it enters', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A, ON_B] });
    const internalTrafficPolicy = 'Local' as const;
    const both = webSlice([endpoint(ON_A, 'a'), endpoint(ON_B, 'b')]);
    await cluster.apply(web({ internalTrafficPolicy }), both);
    const everywhere = [ON_A, ON_B];
    expect(await backendsMet(12, VIP, POD_OF_A)).toEqual(traits.relays ? everywhere : [ON_A]);
    expect(await backendsMet(12, VIP, POD_OF_B)).toEqual(traits.relays ? everywhere : [ON_B]);
    await cluster.apply(webSlice([endpoint(ON_A, 'a')]));
    await expectMet(VIP, ON_A, POD_OF_A);
    await expectMet(VIP, traits.withoutLocal, POD_OF_B);
  });

  test('externalTrafficPolicy Local keeps outsiders on the node they enter, by their own address', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A, ON_B] });
    const ports = [{ port: 8080, protocol: 'TCP' as const, nodePort: NODE_PORT }];
    await cluster.apply(
      web({ type: 'NodePort', externalTrafficPolicy: 'Local', ports }),
      webSlice([endpoint(ON_A, 'a'), endpoint(ON_B, 'b')]),
    );
    const atA = { address: NODE_A, port: NODE_PORT };
    const atB = { address: NODE_B, port: NODE_PORT };
    const everywhere = [ON_A, ON_B];
    expect(await backendsMet(12, atA)).toEqual(traits.relays ? everywhere : [ON_A]);
    expect(await backendsMet(12, atB)).toEqual(traits.relays ? everywhere : [ON_B]);
    expect((await visit(atA)).client).toBe(traits.relays ? NODE_A : STRANGER);
    await cluster.apply(webSlice([endpoint(ON_A, 'a')]));
    await expectMet(atB, traits.outsiderWithoutLocal);
    // The cluster's own clients are not sent away.
    await expectMet(atB, ON_A, POD_OF_B);
    await expectMet(atB, ON_A, NODE_B);
  });

  test('a terminating endpoint serves while nothing else does', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A, ON_B] });
    await cluster.apply(web(), webSlice([endpoint(ON_A, 'a', 'terminating'), endpoint(ON_B, 'b')]));
    expect(await backendsMet(10, VIP)).toEqual([ON_B]);
    await cluster.apply(webSlice([endpoint(ON_A, 'a', 'terminating')]));
    await expectMet(VIP, traits.relays ? 'fin' : ON_A);
  });

  test('half-close and reset are passed on', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A] });
    await cluster.apply(web(), webSlice([endpoint(ON_A, 'a')]));
    const talker = await greet(VIP);
    talker.socket.end('last words');
    const answer = (await readAll(talker.socket)).toString();
    expect(traits.relays ? 'last words' : answer).toBe('last words');
    const { socket } = await greet(VIP);
    const end = ending(socket);
    cluster.sockets.at(-1)?.resetAndDestroy();
    expect(await end).toBe('ECONNRESET');
  });

  test('a slow reader gets everything', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A] });
    await cluster.apply(web(), webSlice([endpoint(ON_A, 'a')]));
    const { socket } = await greet(VIP);
    const megabytes = 16;
    const sender = cluster.sockets.at(-1);
    for (let sent = 0; sent < megabytes; sent += 1) sender?.write(Buffer.alloc(1 << 20, sent));
    sender?.end();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const received = await readAll(socket);
    expect(received.length).toBe(megabytes << 20);
    for (let block = 0; block < megabytes; block += 1) expect(received[block << 20]).toBe(block);
    socket.destroy();
  });

  test('a live connection survives the changes of others and the loss of its endpoint', async () => {
    await using cluster = await startCluster(setting, { pods: [ON_A, ON_B] });
    await cluster.apply(web(), webSlice([endpoint(ON_A, 'a')]));
    const { socket } = await greet(VIP);
    for (let change = 0; change < 40; change += 1) {
      await cluster.apply(
        webSlice([endpoint(ON_A, 'a'), ...(change % 2 === 0 ? [endpoint(ON_B, 'b')] : [])]),
      );
      socket.write('still here');
      expect((await readBytes(socket, 10)).toString()).toBe('still here');
    }
    await cluster.apply(webSlice([endpoint(ON_B, 'b')]));
    await expectMet(VIP, ON_B);
    socket.write('and here');
    expect((await readBytes(socket, 8)).toString()).toBe('and here');
    socket.destroy();
  });

  test('datagrams of a client stay together until their endpoint stops serving', async () => {
    await using cluster = await startCluster(setting, { udpPods: [ON_A, ON_B] });
    const udp = web({ ports: [{ port: 8080, protocol: 'UDP' }] });
    await cluster.apply(udp, webSlice([endpoint(ON_A, 'a')], 'UDP'));
    await using client = await UdpClient.bind(POD_OF_A);
    const source = traits.relays ? NODE_A : POD_OF_A;
    expect(await client.ask(VIP)).toBe(`${ON_A} ${source}`);
    await cluster.apply(webSlice([endpoint(ON_A, 'a'), endpoint(ON_B, 'b')], 'UDP'));
    for (let round = 0; round < 10; round += 1)
      expect(await client.ask(VIP)).toBe(`${ON_A} ${source}`);
    await cluster.apply(webSlice([endpoint(ON_B, 'b')], 'UDP'));
    // A relay's sockets end by silence only.
    expect(await client.ask(VIP)).toBe(`${traits.relays ? ON_A : ON_B} ${source}`);
    const flows = (): number => [...(cluster.proxiers[0]?.udpFlows ?? [])].length;
    await until(() => !traits.relays || flows() === 0);
    expect(await client.ask(VIP)).toBe(`${ON_B} ${source}`);
  });

  test('a check port tells load balancers where the endpoints are', async () => {
    await using cluster = await startCluster(setting);
    const shape = {
      type: 'LoadBalancer' as const,
      externalTrafficPolicy: 'Local' as const,
      healthCheckNodePort: 31_201,
    };
    await cluster.apply(web(shape), webSlice([endpoint(ON_A, 'a'), endpoint(ON_B, 'b', 'dead')]));
    const check = async (address: string): Promise<[number, string | null]> => {
      const response = await fetch(`http://${address}:31201/`);
      await response.text();
      return [response.status, response.headers.get('x-load-balancing-endpoint-weight')];
    };
    expect(await check(NODE_A)).toEqual([200, '1']);
    expect(await check(NODE_B)).toEqual([503, '0']);
    await cluster.remove(web());
    await expectMet({ address: NODE_A, port: 31_201 }, 'ECONNREFUSED');
  });

  test('a port that is taken is reported with a remedy, and had when it is free', async () => {
    await using squatter = await squatOn(VIP);
    const clock = new ManualClock();
    await using cluster = await startCluster(setting, { pods: [ON_A], clock });
    const ports = [{ port: 8080, protocol: 'TCP' as const, nodePort: NODE_PORT }];
    await cluster.apply(web({ type: 'NodePort', ports }), webSlice([endpoint(ON_A, 'a')]));
    expect(cluster.problems).toMatchObject([
      { code: 'EADDRINUSE', spot: { ...VIP, protocol: 'TCP' } },
    ]);
    // Of one node or of both: the port may have been refused before the second asked for it.
    const wantedFor = cluster.problems[0]?.purposes.map(({ service }) => service);
    expect(new Set(wantedFor)).toEqual(new Set(['default/web']));
    expect(cluster.problems[0]?.message).toMatch(/stop it or choose another port/);
    await expectMet({ address: NODE_A, port: NODE_PORT }, ON_A);
    await squatter.leave();
    clock.advance(1000);
    await cluster.ingress.settled();
    expect(cluster.solved).toEqual([{ protocol: 'TCP', address: CLUSTER_IP, port: 8080 }]);
    await expectMet(VIP, ON_A);
  });
}

/** Somebody else's server. */
async function squatOn({
  address,
  port,
}: SocketAddress): Promise<{ leave(): Promise<void> } & AsyncDisposable> {
  const server = createServer((socket) => socket.destroy());
  server.listen(port, address);
  await once(server, 'listening');
  const leave = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return { leave, [Symbol.asyncDispose]: leave };
}

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AddressInfo, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/api/types/core.ts';
import type { KubeObject } from '../../src/api/types/meta.ts';
import { systemClock } from '../../src/base/clock.ts';
import { Lifetime } from '../../src/base/lifetime.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { Client } from '../../src/controlplane/client/client.ts';
import { KubeNodeLeases } from '../../src/node/kube-node-leases.ts';
import { NodeOverlay } from '../../src/node/node-overlay.ts';
import { readNetConf } from '../../src/node/overlay-settings.ts';
import type { ObjectFeed } from '../../src/node/object-feed.ts';
import { PodPorts } from '../../src/node/pod-ports.ts';
import { cidr } from '../ipam/addresses.ts';
import { until } from '../support/until.ts';

type Handler<T> = (current: T | undefined, previous: T | undefined) => void;

/** Objects by name, changed by the test. */
class TestFeed<T extends KubeObject> implements ObjectFeed<T> {
  readonly synced = Promise.resolve();
  readonly #objects = new Map<string, T>();
  readonly #handlers = new Set<Handler<T>>();

  get(name: string): T | undefined {
    return this.#objects.get(name);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  subscribe(handler: Handler<T>): () => void {
    this.#handlers.add(handler);
    for (const object of this.#objects.values()) handler(object, undefined);
    return () => this.#handlers.delete(handler);
  }

  set(name: string, object: T | undefined): void {
    const previous = this.#objects.get(name);
    if (object === undefined) this.#objects.delete(name);
    else this.#objects.set(name, object);
    for (const handler of this.#handlers) handler(object, previous);
  }
}

let lifetime: Lifetime;
let nodes: TestFeed<Node>;
let pods: TestFeed<Pod>;
let client: Client;
let vtepPort = 0;
let folder = '';

beforeEach(async () => {
  lifetime = new Lifetime('test');
  folder = mkdtempSync(join(tmpdir(), 'podwire-overlay-'));
  lifetime.defer(() => rmSync(folder, { recursive: true }));
  nodes = new TestFeed();
  pods = new TestFeed();
  // As much of the API as is used: a merge patch of a Node's annotations.
  const patch = (name: string, _: undefined, { body }: { body: { metadata: object } }): void => {
    const node = nodes.get(name);
    if (node !== undefined)
      nodes.set(name, { ...node, metadata: { ...node.metadata, ...body.metadata } });
  };
  client = { resource: () => ({ patch }) } as unknown as Client;
  const probe = createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  vtepPort = probe.address().port;
  probe.close();
});

afterEach(() => lifetime[Symbol.asyncDispose]());

/** Node N at 127.0.0.N with pods in 127.244.N.0/24. */
async function start(number: number): Promise<NodeOverlay> {
  const name = `node-${number}`;
  const podCIDR = `127.244.${number}.0/24`;
  nodes.set(name, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...nodes.get(name)?.metadata },
    spec: { podCIDR, podCIDRs: [podCIDR] },
  });
  const conf = readNetConf(
    JSON.stringify({ Network: '127.244.0.0/16', Backend: { Type: 'vxlan', Port: vtepPort } }),
  );
  const base = { clock: systemClock, log: silentLogger, client, nodes, conf, name };
  const overlay = await NodeOverlay.start({
    ...base,
    leases: await KubeNodeLeases.open(base),
    random: seededRandom(`${name} ${Math.floor(systemClock.now())}`),
    pods,
    address: `127.0.0.${number}`,
    nodeNetwork: cidr('127.0.0.0/24'),
    underlayMtu: 65_536,
    acceptPartialChecksums: false,
    checkPeers: false,
    podPorts: new PodPorts(0),
    subnetEnvPath: subnetEnvOf(name),
  });
  return lifetime.own(overlay);
}

function subnetEnvOf(name: string): string {
  return join(folder, name, 'run/flannel/subnet.env');
}

/** A pod of node N that says who asks; its port. */
async function startPod(nodeNumber: number, podIP: string): Promise<number> {
  const server = createServer((socket) => socket.end(`${socket.remoteAddress}`));
  server.listen(0, podIP);
  await once(server, 'listening');
  lifetime.defer(async () => {
    server.close();
    await once(server, 'close');
  });
  pods.set(podIP, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: podIP, uid: podIP },
    spec: { nodeName: `node-${nodeNumber}`, containers: [] },
    status: { phase: 'Running', podIP },
  });
  return (server.address() as AddressInfo).port;
}

function open(from: NodeOverlay, address: string, port: number, source: string): Duplex {
  const way = from.dialer.stream({ address, port }, source);
  if (way.kind !== 'stream') throw new Error(`${address} is dialled directly`);
  return way.open();
}

async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks).toString();
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('nodes find each other by their annotations, and pods see who asks', async () => {
  const [first] = [await start(1), await start(2)];
  const port = await startPod(2, '127.244.2.5');
  await startPod(1, '127.244.1.5');
  await settled();
  expect(nodes.get('node-2')?.metadata.annotations).toMatchObject({
    'flannel.alpha.coreos.com/backend-type': 'vxlan',
    'flannel.alpha.coreos.com/public-ip': '127.0.0.2',
  });
  const ask = (source: string) => textOf(open(first, '127.244.2.5', port, source).end());
  expect(await ask('127.244.1.5')).toBe('127.244.1.5');
  expect(await ask('127.0.0.1')).toBe('127.244.1.0');
  expect(first.overlay.counters().peers.get('127.0.0.2')?.receivedFrames).toBeGreaterThan(0);
});

test('own pods and nodes are dialled directly', async () => {
  const [first] = [await start(1), await start(2)];
  await settled();
  const kinds = ['127.244.1.9', '127.244.2.9', '127.0.0.2', '192.0.2.1'].map(
    (address) => first.dialer.stream({ address, port: 80 }, '127.0.0.1').kind,
  );
  expect(kinds).toEqual(['dial', 'stream', 'dial', 'dial']);
  expect(first.dialer.datagrams({ address: '127.244.2.9', port: 53 }, '127.0.0.1').kind).toBe(
    'channel',
  );
});

test('a node that restarts keeps its MAC; one that is deleted leaves nothing', async () => {
  const [first, second] = [await start(1), await start(2)];
  await settled();
  const macs = () => [...first.overlay.tables.fdb.entries.values()].map((entry) => entry.mac);
  const before = macs();
  await second.close();
  await start(2);
  await settled();
  expect([macs(), before.length]).toEqual([before, 1]);
  nodes.set('node-2', undefined);
  await settled();
  expect(macs()).toEqual([]);
  expect(first.overlay.reach('127.244.2.5').kind).toBe('unreachable');
});

test('a pod that ends is let go', async () => {
  const [first, second] = [await start(1), await start(2)];
  const port = await startPod(2, '127.244.2.5');
  await settled();
  expect(await textOf(open(first, '127.244.2.5', port, '127.0.0.1').end())).toBe('127.244.1.0');
  const pod = pods.get('127.244.2.5');
  pods.set('127.244.2.5', { ...pod, status: { ...pod?.status, phase: 'Succeeded' } } as Pod);
  const late = open(first, '127.244.2.5', port, '127.0.0.1');
  const dropped = () => second.overlay.counters().drops.get('ipv4-not-local') ?? 0;
  await until(() => dropped() > 0);
  expect(second.overlay.counters().gate?.accepted).toBe(1);
  late.destroy();
});

test('each node writes its subnet.env', async () => {
  await start(2);
  expect(readFileSync(subnetEnvOf('node-2'), 'utf8')).toBe(
    [
      'FLANNEL_NETWORK=127.244.0.0/16',
      'FLANNEL_SUBNET=127.244.2.1/24',
      'FLANNEL_MTU=65485',
      'FLANNEL_IPMASQ=false',
      '',
    ].join('\n'),
  );
});

test('a UDP port of a pod that nobody listens on is told to be unreachable', async () => {
  const [first, second] = [await start(1), await start(2)];
  await startPod(2, '127.244.2.5');
  await settled();
  const channel = first.overlay.openChannel(
    { sourceAddress: '127.0.0.1', address: '127.244.2.5', port: 9 },
    () => undefined,
  );
  const refused = () => second.overlay.counters().datagrams?.refused ?? 0;
  const sent = () => second.overlay.counters().peers.get('127.0.0.1')?.sentFrames ?? 0;
  for (let turn = 0; turn < 10_000 && sent() === 0; turn += 1) {
    channel?.send(Buffer.from('anybody?'));
    await settled();
  }
  expect([refused() > 0, sent() > 0]).toEqual([true, true]);
  channel?.close();
});

test('a net-conf.json that is refused says why', () =>
  expect(() => readNetConf('{}')).toThrow(expect.objectContaining({ code: 'NET_CONF' })));

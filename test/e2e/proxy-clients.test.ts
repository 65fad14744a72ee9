// Real clients through the Services of a running cluster: who answers them, and whom the pods see.
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi } from './support/api.ts';
import { curl, finished, has, RunningUp } from './support/podwire.ts';

/** Belongs to no node and no pod, so it enters at the first node. */
const STRANGER = '127.77.0.9';
const NODE_PORT = 30_310;
const LOCAL_NODE_PORT = 30_311;
const TAKEN_NODE_PORT = 30_312;

for (const program of ['curl', 'dig', 'redis-cli'])
  if (!has(program)) process.stderr.write(`proxy-clients: ${program} is not installed: skipped\n`);

const WEBSOCKET_SERVER = `
  const server = require('http').createServer();
  server.on('upgrade', (request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n');
    socket.pipe(socket);
  });
  server.listen(8080, process.env.POD_IP);`;

function netexec(name: string, node: string, app: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { ${app} } }
spec:
  nodeName: ${node}
  containers: [{ name: agnhost, image: registry.k8s.io/e2e-test-images/agnhost, args: [netexec] }]
---`;
}

const MANIFEST = `${netexec('on-1', 'node-1', 'app: web')}${netexec('on-2', 'node-2', 'app: web')}
${netexec('only-1', 'node-1', 'app: single')}${netexec('idle-2', 'node-2', 'app: idle')}
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: LoadBalancer, selector: { app: web }, ports: [{ port: 8080, nodePort: ${NODE_PORT} }] }
---
apiVersion: v1
kind: Service
metadata: { name: local }
spec:
  type: NodePort
  externalTrafficPolicy: Local
  internalTrafficPolicy: Local
  selector: { app: web }
  ports: [{ port: 8080, nodePort: ${LOCAL_NODE_PORT} }]
---
apiVersion: v1
kind: Service
metadata: { name: single }
spec: { internalTrafficPolicy: Local, selector: { app: single }, ports: [{ port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: names, namespace: kube-system }
spec: { selector: { k8s-app: kube-dns }, ports: [{ port: 10053, targetPort: 53, protocol: UDP }] }
---
apiVersion: v1
kind: Pod
metadata: { name: store, labels: { app: store } }
spec: { containers: [{ name: redis, image: redis, ports: [{ containerPort: 6379 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: store }
spec: { selector: { app: store }, ports: [{ port: 6379 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: chat, labels: { app: chat }, annotations: { podwire.io/runtime: process } }
spec:
  containers:
    - name: node
      image: node:20
      command: [node, -e, ${JSON.stringify(WEBSOCKET_SERVER)}]
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: chat }
spec: { selector: { app: chat }, ports: [{ port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: elsewhere }
spec: { ports: [{ port: 8080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: elsewhere-1, labels: { kubernetes.io/service-name: elsewhere } }
addressType: IPv4
ports: [{ name: "", port: 8080, protocol: TCP }]
endpoints: [{ addresses: [127.244.1.200] }]
`;

let cluster: RunningUp;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-clients-'));
  const file = join(folder, 'clients.yaml');
  writeFileSync(file, MANIFEST);
  cluster = await RunningUp.start(['--nodes', '2', '--proxy-mode', 'iptables', '-f', file]);
});

afterAll(async () => {
  await cluster.stop();
  rmSync(folder, { recursive: true });
});

function addressOf(pod: string): string {
  const found = cluster.summary().pods.find(({ name }) => name === pod);
  if (found === undefined) throw new Error(`no pod ${pod}`);
  return found.podIP;
}

function nodeAddress(name: string): string {
  const found = cluster.summary().nodes.find((node) => node.name === name);
  if (found === undefined) throw new Error(`no node ${name}`);
  return found.address;
}

/** What a masqueraded client is seen as: the node, or its flannel.1 by pods of other nodes. */
function masks(node: string): string[] {
  const { address = '', podCIDR = '' } =
    cluster.summary().nodes.find(({ name }) => name === node) ?? {};
  return [address, podCIDR.replace(/\/\d+$/, '')].toSorted();
}

/** Who answers, and whose address it sees, over twenty connections. */
async function ask(url: string, from?: string): Promise<{ pods: string[]; seen: string[] }> {
  const source = from === undefined ? [] : ['--interface', from];
  const pods = new Set<string>();
  const seen = new Set<string>();
  for (let sent = 0; sent < 10; sent += 1) {
    pods.add(await curl(...source, `${url}/hostname`));
    seen.add((await curl(...source, `${url}/clientip`)).replace(/:\d+\s*$/, ''));
  }
  return { pods: [...pods].toSorted(), seen: [...seen].toSorted() };
}

describe.skipIf(!has('curl'))('curl', () => {
  const both = ['on-1', 'on-2'];

  test('through a ClusterIP: pods are seen as themselves, all others as the node they enter at', async () => {
    const url = `http://${cluster.clusterIP('web')}:8080`;
    const client = addressOf('only-1');
    expect(await ask(url, client)).toEqual({ pods: both, seen: [client] });
    expect(await ask(url, STRANGER)).toEqual({ pods: both, seen: masks('node-1') });
    const node = nodeAddress('node-2');
    expect(await ask(url, node)).toEqual({ pods: both, seen: masks('node-2') });
    // Itself through its own Service: otherwise it would answer itself directly.
    const { seen } = await ask(url, addressOf('on-1'));
    expect(seen).toEqual([nodeAddress('node-1'), addressOf('on-1')].toSorted());
  });

  test('through the node port of each node and the load balancer’s address', async () => {
    for (const node of ['node-1', 'node-2'])
      expect(await ask(`http://${nodeAddress(node)}:${NODE_PORT}`, STRANGER)).toEqual({
        pods: both,
        seen: masks(node),
      });
    const [vip] = cluster.summary().services.find(({ name }) => name === 'web')?.externalIPs ?? [];
    expect(await ask(`http://${vip}:8080`, STRANGER)).toEqual({
      pods: both,
      seen: masks('node-1'),
    });
  });

  test('externalTrafficPolicy Local: the node’s own pod sees the client; pods and the node go anywhere', async () => {
    const url = `http://${nodeAddress('node-2')}:${LOCAL_NODE_PORT}`;
    expect(await ask(url, STRANGER)).toEqual({ pods: ['on-2'], seen: [STRANGER] });
    const client = addressOf('idle-2');
    expect(await ask(url, client)).toEqual({ pods: both, seen: [client] });
    const node = nodeAddress('node-2');
    expect(await ask(url, node)).toEqual({ pods: both, seen: masks('node-2') });
  });

  test('--interface of a pod: its node’s proxy and the Local policy there', async () => {
    const url = `http://${cluster.clusterIP('local')}:8080`;
    for (const pod of both) expect((await ask(url, addressOf(pod))).pods).toEqual([pod]);
    const single = `http://${cluster.clusterIP('single')}:8080/hostname`;
    expect(await curl('--interface', addressOf('on-1'), single)).toBe('only-1');
    // None on the second node: dropped there, which is silence.
    const patience = ['-s', '--max-time', '1'];
    const from = ['--interface', addressOf('on-2')];
    const { code } = await finished('curl', [...patience, ...from, single]);
    expect(code).toBe(28);
  });
});

test.skipIf(!has('dig'))('dig through a Service over UDP', async () => {
  const server = cluster.clusterIP('names', 'kube-system');
  for (const from of [STRANGER, addressOf('on-1'), addressOf('on-2')]) {
    const args = ['-b', from, `@${server}`, '-p', '10053', '+short', '+tries=1', '+time=30'];
    const { stdout } = await finished('dig', [...args, 'web.default.svc.cluster.local']);
    expect(stdout.trim()).toBe(cluster.clusterIP('web'));
  }
});

test.skipIf(!has('redis-cli'))('redis-cli through a Service', async () => {
  const run = async (...args: string[]): Promise<string> =>
    (await finished('redis-cli', ['-h', cluster.clusterIP('store'), ...args])).stdout.trim();
  expect(await run('set', 'answer', '42')).toBe('OK');
  expect(await run('incr', 'answer')).toBe('43');
  expect(await run('get', 'answer')).toBe('43');
});

test('an upgraded connection survives 1,000 changes of endpoints elsewhere', async () => {
  const upgrading = request({
    host: cluster.clusterIP('chat'),
    port: 8080,
    headers: { connection: 'Upgrade', upgrade: 'websocket' },
  });
  upgrading.end();
  const [response, socket] = (await once(upgrading, 'upgrade')) as [{ statusCode: number }, Socket];
  expect(response.statusCode).toBe(101);
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/elsewhere-1';
  let echoed = '';
  socket.setEncoding('utf8').on('data', (text: string) => (echoed += text));
  for (let change = 1; change <= 1000; change += 1) {
    const endpoints = [{ addresses: [`127.244.1.${1 + (change % 200)}`] }];
    await callApi(cluster.kubeconfig, 'PATCH', path, { endpoints });
    if (change % 100 === 0) socket.write(`still here after ${change}\n`);
  }
  socket.end();
  await once(socket, 'close');
  expect(echoed.split('\n').slice(0, -1)).toEqual(
    Array.from({ length: 10 }, (_, index) => `still here after ${(index + 1) * 100}`),
  );
}, 300_000);

test('a taken node port is an Event on its Service, and is had once it is free', async () => {
  const squatter = createServer();
  squatter.listen(TAKEN_NODE_PORT, nodeAddress('node-2'));
  await once(squatter, 'listening');
  await callApi(cluster.kubeconfig, 'POST', '/api/v1/namespaces/default/services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'late' },
    spec: {
      type: 'NodePort',
      selector: { app: 'web' },
      ports: [{ port: 8080, nodePort: TAKEN_NODE_PORT }],
    },
  });
  const warning = await eventOf('late', 'FailedToListen');
  expect(warning.message).toBe(
    `cannot listen on ${nodeAddress('node-2')}:${TAKEN_NODE_PORT}/TCP for default/late: EADDRINUSE: another process listens there: stop it or choose another port; podwire takes the port as soon as it is free`,
  );
  expect(warning).toMatchObject({ type: 'Warning', source: { component: 'kube-proxy' } });
  expect(await curl(`http://${nodeAddress('node-1')}:${TAKEN_NODE_PORT}/hostname`)).toMatch(/^on-/);
  squatter.close();
  expect(await eventOf('late', 'Listening')).toMatchObject({ type: 'Normal' });
  expect(await curl(`http://${nodeAddress('node-2')}:${TAKEN_NODE_PORT}/hostname`)).toMatch(/^on-/);
});

interface SeenEvent {
  readonly reason: string;
  readonly type: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string; readonly name: string };
  readonly source: { readonly component: string };
}

/** Waits for an Event about a Service. */
async function eventOf(service: string, reason: string): Promise<SeenEvent> {
  for (;;) {
    const text = await callApi(cluster.kubeconfig, 'GET', '/api/v1/namespaces/default/events');
    const { items } = JSON.parse(text) as { items: SeenEvent[] };
    const found = items.find(
      ({ involvedObject, reason: why }) =>
        involvedObject.kind === 'Service' && involvedObject.name === service && why === reason,
    );
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

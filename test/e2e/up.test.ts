import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { curl, finished, has, RunningUp, runPodwire } from './support/podwire.ts';

let up: RunningUp | undefined;
const folders: string[] = [];

async function start(...args: string[]): Promise<RunningUp> {
  up = await RunningUp.start(args);
  return up;
}

afterEach(async () => {
  await up?.stop('SIGKILL');
  up = undefined;
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function writeTemporary(text: string, name = 'manifest.yaml'): string {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-manifest-'));
  folders.push(folder);
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function podIn(answer: string): string {
  return /^Hostname: (.*)$/m.exec(answer)?.[1] ?? answer;
}

describe.skipIf(!has('curl'))('examples/tomcat.yaml with real clients', () => {
  test('round robin through the NodePort, the ClusterIP, and its name', async () => {
    const cluster = await start('--nodes', '3', '-f', 'examples/tomcat.yaml');
    const answers = new Map<string, number>();
    for (let sent = 0; sent < 30; sent += 1) {
      const pod = podIn(await curl('http://127.0.0.1:30001'));
      answers.set(pod, (answers.get(pod) ?? 0) + 1);
    }
    expect([...answers.values()]).toEqual([10, 10, 10]);

    const clusterIP = cluster.clusterIP('tomcat-server');
    expect(await curl(`http://${clusterIP}:11111/`)).toMatch(/^Hostname: tomcat-deployment-/);
    for (const { address } of cluster.summary().nodes)
      expect(await curl(`http://${address}:30001/`)).toMatch(/^Hostname: tomcat-deployment-/);
  });

  test.skipIf(!has('dig'))('dig gives the cluster IP', async () => {
    const cluster = await start('--nodes', '3', '-f', 'examples/tomcat.yaml');
    const name = 'tomcat-server.default.svc.cluster.local';
    const { stdout } = await finished('dig', ['@127.0.0.1', '-p', '1053', '+short', name]);
    expect(stdout.trim()).toBe(cluster.clusterIP('tomcat-server'));
  });
});

test('every example comes up; what is invalid is refused and the rest of its file is made', async () => {
  const cluster = await start(
    ...[
      'guestbook',
      'im-web-rc',
      'hello-world',
      'configmap-env',
      'nginx-deployment',
      'invalid-no-labels',
    ].flatMap((name) => ['-f', `examples/${name}.yaml`]),
  );
  const summary = cluster.summary();
  const users = summary.pods.filter(({ namespace }) => namespace !== 'kube-system');
  expect(
    users.map(({ name }) => name.replace(/(-[a-z0-9]{8,10})?-[a-z0-9]{5}$/, '')).toSorted(),
  ).toEqual(
    [
      'china',
      'dapi-test-pod',
      'frontend-server',
      'frontend-server',
      ...Array.from({ length: 5 }, () => 'hello-world'),
      ...Array.from({ length: 3 }, () => 'im-web'),
      'nginx-deployment',
      'nginx-deployment',
      'redis-master',
      'redis-slave',
      'redis-slave',
    ].toSorted(),
  );
  expect(users.filter(({ phase }) => phase !== 'Running')).toEqual([]);
  expect(cluster.output).toMatch(/invalid-no-labels\.yaml.*simples.*(selector|labels)/);
  expect(cluster.clusterIP('aaa')).toMatch(/^127\.96\./);
});

describe('process pods', () => {
  const manifest = `
apiVersion: v1
kind: Pod
metadata: { name: one-liner, labels: { app: one-liner }, annotations: { podwire.io/runtime: process } }
spec:
  containers:
    - name: node
      image: node:20
      command: [node, -e, "require('http').createServer((q, r) => r.end('from ' + process.env.POD_IP)).listen(8080, process.env.POD_IP)"]
      ports: [{ containerPort: 8080 }]
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: one-liner }
spec: { selector: { app: one-liner }, ports: [{ port: 8000, targetPort: 8080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: python, labels: { app: python }, annotations: { podwire.io/runtime: process } }
spec:
  containers:
    - name: python
      image: python:3
      command: [python3, -m, http.server, --bind, $(POD_IP), "8080"]
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: python }
spec: { selector: { app: python }, ports: [{ port: 8000, targetPort: 8080 }] }
`;

  test.skipIf(!has('python3') || !has('curl'))(
    'serve through their Services and end with podwire',
    async () => {
      const file = writeTemporary(manifest);
      const cluster = await start('--nodes', '2', '-f', file);
      const oneLiner = cluster.summary().pods.find(({ name }) => name === 'one-liner');
      expect(await curl(`http://${cluster.clusterIP('one-liner')}:8000/`)).toBe(
        `from ${oneLiner?.podIP}`,
      );
      expect(await curl(`http://${cluster.clusterIP('python')}:8000/`)).toContain(
        'Directory listing',
      );
      const children = childrenOf(cluster.pid).filter((pid) => commandOf(pid) !== 'sh');
      expect(children.length).toBe(2);
      expect(await cluster.stop('SIGTERM')).toBe(0);
      expect(children.filter(isRunning)).toEqual([]);
      up = undefined;
    },
  );
});

test('process pods end also where podwire is killed', async () => {
  const cluster = await start('--nodes', '1', '-f', writeTemporary(ENDLESS));
  const [sleeper] = childrenOf(cluster.pid).filter((pid) => commandOf(pid) === 'sleep');
  expect(sleeper).toBeDefined();
  await cluster.stop('SIGKILL');
  up = undefined;
  await expect.poll(() => isRunning(sleeper ?? 0), { timeout: 60_000 }).toBe(false);
});

const ENDLESS = `
apiVersion: v1
kind: Pod
metadata: { name: endless, annotations: { podwire.io/runtime: process } }
spec:
  containers: [{ name: sleep, image: busybox, command: [sleep, '86400'] }]
`;

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends it at once with 0, and it starts again at once',
  async (signal) => {
    for (let round = 0; round < 2; round += 1) {
      const cluster = await start('--nodes', '2', '-f', 'examples/tomcat.yaml');
      const { pid } = cluster;
      expect(socketsOf(pid)).toBeGreaterThan(0);
      expect(await cluster.stop(signal)).toBe(0);
      expect(isRunning(pid)).toBe(false);
      up = undefined;
    }
  },
);

describe('mistakes are told with their place', () => {
  test.each<[string, string, RegExp]>([
    ['malformed YAML', 'a: [1, 2\nb: 3\n', /bad\.yaml:\d+/],
    ['an unknown kind', 'apiVersion: v1\nkind: Poddy\nmetadata: { name: x }\n', /Poddy/],
    [
      'a Service with a bad port',
      'apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: { ports: [{ port: 99999 }] }\n',
      /spec\.ports\[0\]\.port: Invalid value: 99999/,
    ],
  ])('%s', async (_, text, message) => {
    const cluster = await start('--nodes', '1', '-f', writeTemporary(text, 'bad.yaml'));
    expect(cluster.output).toMatch(message);
    expect(await cluster.stop()).toBe(0);
    up = undefined;
  });

  test.each<[string, string[], RegExp]>([
    ['a file that is not there', ['up', '-f', 'nowhere.yaml'], /nowhere\.yaml: no such file/],
    ['an option that is not known', ['up', '--notes', '3'], /unknown option '--notes'/],
    [
      'ranges that overlap',
      ['up', '--pod-cidr', '127.96.0.0/16'],
      /networking\.serviceSubnet: .*overlaps networking\.podSubnet/,
    ],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await runPodwire(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

test('demo balances evenly, resolves names and exits 0', async () => {
  const { code, stdout } = await runPodwire(['demo']);
  expect(code).toBe(0);
  expect(
    [...stdout.matchAll(/tomcat-deployment-\S+ +\S+ +\S+ +(\d+)/g)].map(([, count]) => count),
  ).toEqual(['100', '100', '100']);
  expect(stdout).toMatch(/redis-master\.default\.svc\.cluster\.local +127\.96\.\d+\.\d+/);
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

function socketsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

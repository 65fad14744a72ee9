// A node is switched off under load: how long wrong answers last, and that everything follows.
import { expect, test } from 'vitest';
import { ApiCluster, webManifest } from './support/api-cluster.ts';
import { PacedLoad } from './support/paced-load.ts';
import { SteadyLoad } from './support/steady-load.ts';

const MANIFEST = `${webManifest(6, 'NodePort')}
apiVersion: v1
kind: Service
metadata: { name: pods }
spec: { clusterIP: None, selector: { app: web }, ports: [{ port: 8080 }] }
`;

const GRACE_MS = 2_000;
const PERIOD_MS = 500;
const QUICK = [
  ['--nodes', '3'],
  ['--node-monitor-grace-period', `${GRACE_MS}ms`],
  ['--node-monitor-period', `${PERIOD_MS}ms`],
  ['--default-unreachable-toleration-seconds', '1'],
  ['--default-not-ready-toleration-seconds', '1'],
].flat();
/** A busy machine's share of every bound below; with the default times all of them would be missed all the same. */
const SLACK_MS = 25_000;

test('its pods leave endpoints, DNS and proxies, and come up elsewhere', async () => {
  await using cluster = await ApiCluster.start(MANIFEST, ...QUICK);
  const inDns = () => cluster.resolve('pods');
  const { spec } = await cluster.service('web');
  const url = `http://${spec.clusterIP}/`;
  await using load = new PacedLoad(url, 20);
  const lost = (await cluster.pods('app=web')).filter((pod) => pod.spec.nodeName === 'node-3');
  expect(lost.length).toBe(2);
  const isFree = (addresses: readonly string[]) =>
    lost.every(({ status }) => !addresses.includes(status?.podIP ?? ''));
  await cluster.until(async () => load.answered > 50);

  expect((await cluster.node('stop', 'node-3')).stdout.trim()).toBe('node-3 is stopped');
  const lostAtMs = load.nowMs;
  const elapsedMs = () => Math.round(load.nowMs - lostAtMs);
  const [endpoints, dns, replaced] = await Promise.all([
    cluster.until(async () => isFree(await cluster.endpoints('web'))).then(elapsedMs),
    cluster.until(async () => isFree(await inDns())).then(elapsedMs),
    cluster
      .until(async () => {
        const addresses = await cluster.endpoints('web');
        return addresses.length === 6 && isFree(addresses);
      })
      .then(elapsedMs),
  ]);
  const addresses = await cluster.endpoints('pods');
  await cluster.until(async () => equal(await inDns(), addresses));
  const running = (await cluster.pods('app=web')).filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  );
  expect(running.map((pod) => pod.spec.nodeName)).not.toContain('node-3');

  // Everybody who asks from now on is answered, by a pod that runs.
  const followedAtMs = load.nowMs;
  await cluster.until(async () => load.nowMs > followedAtMs + 2000);
  const answers = (await load.stop()).filter(({ begunMs }) => begunMs > lostAtMs);
  const names = new Set(lost.map(({ metadata }) => metadata.name));
  expect(answers.filter(({ pod }) => names.has(pod))).toEqual([]);
  const unanswered = answers.filter(({ pod }) => pod === undefined);
  expect(unanswered.length).toBeGreaterThan(0);
  const lastFailure = Math.max(...unanswered.map(({ begunMs }) => begunMs)) - lostAtMs;
  const timesMs = {
    'last request that met a lost pod': Math.round(lastFailure),
    'out of the endpoints': endpoints,
    'out of DNS': dns,
    'replaced elsewhere': replaced,
  };
  process.stdout.write(`node lost: ${JSON.stringify(timesMs)}\n`);
  expect(endpoints).toBeLessThan(GRACE_MS + PERIOD_MS + SLACK_MS);
  expect(dns).toBeLessThan(endpoints + SLACK_MS);
  expect(lastFailure).toBeLessThan(endpoints + SLACK_MS);
  // Unreachable for a second, then the eviction, then the readiness probe.
  expect(replaced).toBeLessThan(endpoints + 1000 + 1000 + SLACK_MS);

  // Switched on again at another address it takes part again.
  const start = await cluster.node('start', 'node-3', '--address', '127.118.0.99');
  expect(start.stdout.trim()).toBe('node-3 is Ready');
  await cluster.scale('web', 12);
  await cluster.untilRolledOut('web');
  const nodes = (await cluster.pods('app=web')).map((pod) => pod.spec.nodeName);
  expect(nodes.filter((name) => name === 'node-3').length).toBeGreaterThan(2);
  await using again = new SteadyLoad([url], { clients: 8 });
  await cluster.until(async () => again.requests > 300);
  const report = await again.stop();
  expect(report.failures).toEqual([]);
  expect(report.lastAnswerMs.size).toBe(12);
});

test('what cannot be is refused with the reason', async () => {
  await using cluster = await ApiCluster.start('', '--nodes', '2');
  const said = async (...args: string[]) => {
    const { code, stderr } = await cluster.node(...args);
    return `${code} ${stderr.trim()}`;
  };
  expect(await said('start', 'node-1')).toBe('2 podwire: node-1 is running; stop it first');
  expect(await said('stop', 'node-9')).toBe('1 podwire: nodes "node-9" not found');
  expect((await cluster.node('stop', 'node-1')).code).toBe(0);
  expect(await said('stop', 'node-1')).toBe('2 podwire: node-1 is stopped already; start it first');
  for (const [address, why] of [
    ['somewhere', 'must be an IP address'],
    ['127.1.1.1', 'is not in nodeSubnet 127.118.0.0/16'],
    ['127.118.255.7', 'is in loadBalancerPool 127.118.255.0/24'],
    ['127.118.0.3', "is node-2's"],
  ] as const)
    expect(await said('start', 'node-1', '--address', address)).toBe(
      `2 podwire: address: Invalid value: "${address}": ${why}`,
    );
  expect((await cluster.node('start', 'node-1')).stdout.trim()).toBe('node-1 is Ready');
});

function equal(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify(a.toSorted()) === JSON.stringify(b.toSorted());
}

// What flannel and CNI leave on a node's disk, through a kill -9, and the backends that do without a tunnel.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownNetworks, pinnedWeb } from './support/overlay-cluster.ts';
import { curl, has, RunningUp, runPodwire } from './support/podwire.ts';

const MANIFEST = pinnedWeb({ name: 'web', node: 'node-2', nodePort: 30_401, replicas: 4 });
const NETWORKS = ownNetworks(4);

let folder = '';
let up: RunningUp | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-plumbing-'));
});

afterEach(async () => {
  await up?.stop();
  up = undefined;
  rmSync(folder, { recursive: true });
});

async function start(...args: string[]): Promise<RunningUp> {
  const manifest = join(folder, 'manifest.yaml');
  writeFileSync(manifest, MANIFEST);
  const dataDir = ['--data-dir', join(folder, 'data')];
  up = await RunningUp.start(['--nodes', '2', ...NETWORKS, ...dataDir, '-f', manifest, ...args]);
  return up;
}

async function onNode1(...command: string[]): Promise<string> {
  const where = ['--kubeconfig', up?.kubeconfig ?? ''];
  return (await runPodwire(['node', 'exec', ...where, 'node-1', ...command])).stdout;
}

const subnetEnv = (node: string): string =>
  readFileSync(join(folder, 'data/nodes', node, 'run/flannel/subnet.env'), 'utf8');

const leaseFolder = (node: string): string =>
  join(folder, 'data/nodes', node, 'var/lib/cni/networks/cbr0');

/** The addresses that have a file, as host-local names them. */
const leased = (node: string): string[] =>
  readdirSync(leaseFolder(node))
    .filter((name) => /^\d/.test(name))
    .toSorted((a, b) => a.localeCompare(b));

function podAddresses(cluster: RunningUp, node: string): string[] {
  return cluster
    .summary()
    .pods.filter((pod) => pod.node === node)
    .map(({ podIP }) => podIP)
    .toSorted((a, b) => a.localeCompare(b));
}

test('a killed cluster loses no address of a pod and leaks none', async () => {
  let cluster = await start();
  expect(leased('node-2')).toEqual(podAddresses(cluster, 'node-2'));
  expect(leased('node-2').length).toBeGreaterThanOrEqual(4);
  await cluster.stop('SIGKILL');
  expect(leased('node-2').length).toBeGreaterThanOrEqual(4);
  // Of a pod that nobody knows, as a node that was reinstalled leaves it.
  writeFileSync(join(leaseFolder('node-2'), '127.250.1.200'), 'ghost\r\neth0', { mode: 0o600 });
  cluster = await start();
  expect(leased('node-2')).toEqual(podAddresses(cluster, 'node-2'));
  expect(leased('node-2')).not.toContain('127.250.1.200');
});

describe.skipIf(!has('curl'))('backends', () => {
  test('vxlan, at the MTU of a usual network', async () => {
    await start('--underlay-mtu', '1500');
    expect(subnetEnv('node-2')).toBe(
      'FLANNEL_NETWORK=127.250.0.0/16\nFLANNEL_SUBNET=127.250.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n',
    );
    expect(await curl('http://127.48.0.2:30401')).toMatch(/^Hostname: web-/);
    expect(await onNode1('overlay', 'status')).toMatch(/^127\.48\.0\.3 +[1-9]/m);
  });

  test('host-gw routes to the node itself, and nothing is encapsulated', async () => {
    await start('--overlay-backend', 'host-gw');
    expect(subnetEnv('node-2')).toContain('FLANNEL_MTU=65536\n');
    expect(await onNode1('ip', 'route')).toContain('127.250.1.0/24 via 127.48.0.3 dev eth0\n');
    expect(await onNode1('bridge', 'fdb')).toBe('');
    expect(await curl('http://127.48.0.2:30401')).toMatch(/^Hostname: web-/);
  });

  test('vxlan with DirectRouting does the same where nodes share a network', async () => {
    await start('--overlay-backend', '{"Type":"vxlan","DirectRouting":true}');
    expect(await onNode1('ip', 'route')).toContain('127.250.1.0/24 via 127.48.0.3 dev eth0\n');
    expect(await curl('http://127.48.0.2:30401')).toMatch(/^Hostname: web-/);
    expect(await onNode1('overlay', 'status')).toMatch(/^sent +0 frames/m);
  });
});

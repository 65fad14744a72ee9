// What a link between nodes does to requests, in a running cluster, with podwire's own commands and curl.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { switchNode } from '../../src/cluster/node-exec.ts';
import { ownNetworks, pinnedWeb } from './support/overlay-cluster.ts';
import { curl, finished, has, RunningCommand, RunningUp, runPodwire } from './support/podwire.ts';

/** One pod on each node, and a Service for each: asked at node-1, `on-1` stays there and `on-2` crosses the overlay. */
const MANIFEST = [1, 2, 3]
  .map((number) =>
    pinnedWeb({ name: `on-${number}`, node: `node-${number}`, nodePort: 30_200 + number }),
  )
  .join('---');

const NETWORKS = ownNetworks(2);
/** On a machine that stands still for a fifth of a second TCP sends again, which the capture then has. */
const STALLS = { retry: 3 };
const NODE_1 = '127.28.0.2';

/** Resolves once there is something in the file: then the capture has begun. */
async function written(path: string): Promise<void> {
  for (let tried = 0; tried < 2400; tried += 1) {
    if (existsSync(path) && statSync(path).size > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${path} stays empty`);
}

function note(text: string): void {
  process.stderr.write(`overlay-faults: ${text}\n`);
}

describe.skipIf(!has('curl'))('a cluster of three nodes', () => {
  let folder = '';
  let up: RunningUp;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-faults-'));
    const manifest = join(folder, 'manifest.yaml');
    writeFileSync(manifest, MANIFEST);
    up = await RunningUp.start([...NETWORKS, '--underlay-mtu', '1500', '-f', manifest]);
  });

  afterAll(async () => {
    await up.stop();
    rmSync(folder, { recursive: true });
  });

  /** What node-1 gives of the pod on node N, or curl's complaint; seconds are short where there is no answer to wait for. */
  const ask = (number: number, seconds = '60'): Promise<string> =>
    curl('--max-time', seconds, `http://${NODE_1}:3020${number}`);

  async function podwire(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runPodwire([...args, '--kubeconfig', up.kubeconfig]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }

  /** What is behind the program's name is the program's: the option comes before it. */
  async function fdbOfNode1(): Promise<string> {
    const where = ['--kubeconfig', up.kubeconfig];
    return (await runPodwire(['node', 'exec', ...where, 'node-1', 'bridge', 'fdb'])).stdout;
  }

  /** Asks until node N answers; how long that took, in milliseconds from `since`. */
  async function reachable(number: number, since: number): Promise<number> {
    while (!(await ask(number, '1')).startsWith('Hostname: '));
    return performance.now() - since;
  }

  test('a partition cuts what crosses it, and nothing else, until it is healed', async () => {
    for (const number of [1, 2, 3]) expect(await ask(number)).toContain(`Hostname: on-${number}-`);
    await podwire('overlay', 'faults', 'set', '--from', 'node-1', '--to', 'node-2', '--partition');
    expect(await podwire('overlay', 'faults', 'list')).toBe(
      'node-1 outbound node-2 partition\nnode-2 outbound node-1 partition\n',
    );
    const cut = ask(2, '2');
    expect(await ask(1)).toContain('Hostname: on-1-');
    expect(await ask(3)).toContain('Hostname: on-3-');
    expect(await cut).toContain('timed out');
    expect(await podwire('overlay', 'status', 'node-1')).toMatch(/^fault-partition +\d+$/m);
    // A request that was under way outlives the partition: TCP sends again.
    const waiting = ask(2);
    await podwire('overlay', 'faults', 'clear');
    expect(await waiting).toContain('Hostname: on-2-');
    expect(await ask(2)).toContain('Hostname: on-2-');
  });

  test('a delay shows in the time, and a blocked tunnel port takes everything', async () => {
    await podwire('overlay', 'faults', 'set', '--delay', '60ms');
    const began = performance.now();
    expect(await ask(2)).toContain('Hostname: on-2-');
    // SYN, SYN-ACK, request, answer.
    expect(performance.now() - began).toBeGreaterThan(240);
    await podwire('overlay', 'faults', 'set', '--block-udp-port', '8472');
    expect(await ask(2, '0.5')).toContain('timed out');
    await podwire('overlay', 'faults', 'clear');
    expect(await ask(2)).toContain('Hostname: on-2-');
  });

  test('a node that comes back with another address is reachable at once', async () => {
    const before = await fdbOfNode1();
    expect(before).toContain('dst 127.28.0.3 ');
    await switchNode(up.kubeconfig, 'node-2', { on: false });
    expect(await ask(2, '0.3')).not.toContain('Hostname');
    const began = performance.now();
    await switchNode(up.kubeconfig, 'node-2', { on: true, address: '127.28.0.77' });
    const startedMs = performance.now() - began;
    const tookMs = await reachable(2, began);
    note(
      `node-2 is back at another address: Ready after ${startedMs.toFixed(0)} ms, reachable after ${tookMs.toFixed(0)} ms`,
    );
    // At once, and not when neighbours or leases age: that takes a minute and more.
    expect(tookMs).toBeLessThan(30_000);
    const after = await fdbOfNode1();
    // The same MAC behind the new address, and nothing of the old one.
    expect(after).toBe(before.replace('127.28.0.3 ', '127.28.0.77 '));
  });

  test.skipIf(!has('tshark'))(
    'a capture names what was dropped and has nothing wrong',
    STALLS,
    async () => {
      const file = join(folder, 'node-1.pcapng');
      const where = ['--kubeconfig', up.kubeconfig, '-w', file];
      const capture = new RunningCommand(['overlay', 'capture', 'node-1', ...where]);
      await written(file);
      expect(await ask(3)).toContain('Hostname: on-3-');
      await podwire(
        'overlay',
        'faults',
        'set',
        '--from',
        'node-1',
        '--to',
        'node-3',
        '--partition',
      );
      await ask(3, '0.3');
      expect(await capture.stop()).toBe(0);
      await podwire('overlay', 'faults', 'clear');
      const fields = async (filter: string, field: string): Promise<string[]> => {
        const checks = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
        const args = ['-r', file, ...checks, '-Y', filter, '-T', 'fields', '-e', field];
        const { stdout } = await finished('tshark', args);
        return stdout.split('\n').filter((line) => line !== '');
      };
      expect(await fields('http.response.code == 200', 'vxlan.vni')).toEqual(['1']);
      expect(await fields('frame.comment', 'frame.comment')).toContain('dropped: fault-partition');
      expect(await fields('_ws.malformed', 'frame.number')).toEqual([]);
      expect(await fields('tcp.checksum.status == 0', 'frame.number')).toEqual([]);
      expect(await fields('tcp.analysis.retransmission && !frame.comment', 'frame.number')).toEqual(
        [],
      );
    },
  );
});

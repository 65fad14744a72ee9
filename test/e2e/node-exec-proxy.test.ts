// `podwire node exec` on a running cluster prints what the real programs take back.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { namespaceObstacle, NetworkNamespace } from './network-namespace.ts';
import { curl, has, RunningUp, runPodwire } from './support/podwire.ts';

function obstacle(): string | undefined {
  for (const tool of ['iptables-restore', 'ipset', 'nft'])
    if (spawnSync(tool, ['--version']).error !== undefined) return `${tool} is not installed`;
  return namespaceObstacle();
}

const skipped = obstacle();
if (skipped !== undefined)
  process.stderr.write(`node-exec-proxy: real tools skipped: ${skipped}\n`);

/** One Service of each further mode besides the node's. */
const OTHER_MODES = ['nftables', 'ipvs', 'userspace']
  .map(
    (mode, index) => `
apiVersion: v1
kind: Service
metadata: { name: by-${mode}, annotations: { podwire.io/proxy-mode: ${mode} } }
spec: { selector: { app: frontend-server }, type: NodePort, ports: [{ port: 80, nodePort: ${30_101 + index} }] }
---`,
  )
  .join('');

describe('a cluster in iptables mode', () => {
  let cluster: RunningUp;
  let folder = '';
  let namespace: NetworkNamespace | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podwire-node-exec-'));
    const modes = join(folder, 'modes.yaml');
    writeFileSync(modes, OTHER_MODES);
    if (skipped === undefined) namespace = new NetworkNamespace('exec');
    const manifests = ['-f', 'examples/guestbook.yaml', '-f', modes];
    cluster = await RunningUp.start(['--nodes', '2', '--proxy-mode', 'iptables', ...manifests]);
  });

  afterAll(async () => {
    await cluster.stop('SIGKILL');
    namespace?.remove();
    rmSync(folder, { recursive: true });
  });

  async function exec(node: string, ...command: string[]): Promise<string> {
    const to = ['--kubeconfig', cluster.kubeconfig, node];
    const { code, stdout, stderr } = await runPodwire(['node', 'exec', ...to, ...command]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }

  /** What the program in the namespace says to a text. */
  function take(program: string, text: string): string {
    const file = join(folder, 'text');
    writeFileSync(file, text);
    return namespace?.run(`${program.replace('TEXT', file)} 2>&1`) ?? '';
  }

  test.skipIf(skipped !== undefined).each(['node-1', 'node-2'])(
    'iptables-restore --test takes what iptables-save prints on %s',
    async (node) => {
      const text = await exec(node, 'iptables-save');
      expect(text).toMatch(/-A KUBE-SVC-\w{16} .*"default\/frontend-server/);
      expect(text).toMatch(/-A KUBE-PORTALS-HOST /);
      // Rules that match sets need the sets.
      expect(take('ipset restore -! -f TEXT', await exec(node, 'ipset', 'save'))).toBe('');
      expect(take('iptables-restore --test TEXT', text)).toBe('');
      expect(take('iptables-legacy-restore --test TEXT', text)).toBe('');
    },
  );

  test.skipIf(skipped !== undefined)('nft -c takes what nft list ruleset prints', async () => {
    const ruleset = await exec('node-2', 'nft', 'list', 'ruleset');
    expect(ruleset).toContain('default/by-nftables/tcp/');
    expect(ruleset).not.toContain('frontend-server');
    expect(take('nft -c -f TEXT', ruleset)).toBe('');
  });

  test.skipIf(!has('curl'))('ipvsadm and conntrack list what a client has just done', async () => {
    const vip = cluster.clusterIP('by-ipvs');
    expect(await curl(`http://${vip}/`)).not.toContain('curl:');
    const entry = new RegExp(
      `TCP 0[12]:\\d\\d {2}TIME_WAIT +\\S+ +${vip}:80 +127\\.244\\.\\d+\\.\\d+:80`,
    );
    expect(await exec('node-1', 'ipvsadm', '-Lnc')).toMatch(entry);
    expect(await exec('node-1', 'ipvsadm', '-Ln')).toMatch(
      new RegExp(`TCP {2}${vip}:80 rr\\n {2}-> 127\\.244\\.\\d+\\.\\d+:80 +Masq +1 `),
    );
    expect(await exec('node-1', 'conntrack', '-L', '-d', vip)).toMatch(
      new RegExp(
        `^tcp {6}6 1[12]\\d TIME_WAIT src=127\\.0\\.0\\.1 dst=${vip} sport=\\d+ dport=80 `,
      ),
    );
    // The client belongs to no node, so it entered at the first.
    expect(await exec('node-2', 'conntrack', '-L', '-d', vip)).toBe('');
  });

  test('what a node does not have is refused with a remedy', async () => {
    const run = (...args: string[]) =>
      runPodwire(['node', 'exec', '--kubeconfig', cluster.kubeconfig, ...args]);
    expect(await run('node-1', 'ipvsadm', '--timeout')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/Unknown option '--timeout'\nusage: ipvsadm /) as string,
    });
    expect(await run('node-1', 'tcpdumb')).toMatchObject({ code: 2 });
    expect(await run('node-9', 'iptables-save')).toMatchObject({ code: 1 });
  });
});

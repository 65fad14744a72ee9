// What is typed behind `podwire node exec NODE`.
import { describe, expect, test } from 'vitest';
import { runNodeCommand } from '../../../src/node/commands/node-commands.ts';
import type { NodeAgent } from '../../../src/node/node-agent.ts';
import type { ProxyModeName } from '../../../src/proxy/proxy-mode.ts';
import { inspectedNode } from '../../proxy/support/inspected-node.ts';
import { endpoint, service, slice } from '../../services/objects.ts';

const CLIENT = { address: '10.244.1.9', port: 40_000 };
const OTHER = { address: '203.0.113.9', port: 40_001 };
const WEB = { address: '10.96.0.10', port: 80 };

function nodeIn(mode: ProxyModeName) {
  const node = inspectedNode(mode, {
    services: [service()],
    slices: [slice([endpoint('10.244.1.7', 'here')])],
  });
  const agent = { proxy: { inspector: node.inspector } } as unknown as NodeAgent;
  const run = async (line: string): Promise<string> =>
    (await runNodeCommand(agent, line.split(' '), new AbortController().signal)) as string;
  return { ...node, run };
}

describe('rules', () => {
  test('iptables-save prints all tables, or one', async () => {
    const { run } = nodeIn('iptables');
    expect(
      [...(await run('iptables-save')).matchAll(/^\*(\w+)$/gm)].map(([, name]) => name),
    ).toEqual(['mangle', 'filter', 'nat']);
    const nat = await run('iptables-save -t nat');
    expect([...nat.matchAll(/^\*(\w+)$/gm)].map(([, name]) => name)).toEqual(['nat']);
    expect(nat).toMatch(/-j DNAT --to-destination 10\.244\.1\.7:8080/);
    expect(await run('ip6tables-save -t nat')).not.toContain('10.244.1.7');
  });

  test('of another mode there are none', async () => {
    const { run } = nodeIn('nftables');
    expect(await run('iptables-save')).toBe('');
    expect(await run('nft list ruleset')).toMatch(/^table ip kube-proxy \{/);
  });

  test('ipset lists and saves the sets of ipvs mode', async () => {
    const { run } = nodeIn('ipvs');
    expect(await run('ipset list -n')).toContain('KUBE-CLUSTER-IP\n');
    expect(await run('ipset save KUBE-CLUSTER-IP')).toBe(
      'create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536\nadd KUBE-CLUSTER-IP 10.96.0.10,tcp:80\n',
    );
    expect(await run('ipset list KUBE-CLUSTER-IP')).toBe(
      'Name: KUBE-CLUSTER-IP\nType: hash:ip,port\nHeader: family inet hashsize 1024 maxelem 65536\nNumber of entries: 1\nMembers:\n10.96.0.10,tcp:80\n',
    );
  });
});

describe('ipvsadm', () => {
  test('lists virtual servers, connections and totals', async () => {
    const { run, connect } = nodeIn('ipvs');
    const tell = connect(CLIENT, WEB);
    tell('established');
    expect(await run('ipvsadm -Ln')).toMatch(
      /TCP {2}10\.96\.0\.10:80 rr\n {2}-> 10\.244\.1\.7:8080 +Masq +1 +1 +0 *\n/,
    );
    expect(await run('ipvsadm -Lnc')).toMatch(
      /TCP 15:00 {2}ESTABLISHED 10\.244\.1\.9:40000 +10\.96\.0\.10:80 +10\.244\.1\.7:8080/,
    );
    expect(await run('ipvsadm -L -n --stats')).toMatch(/TCP {2}10\.96\.0\.10:80 +1 +/);
    expect(await run('ipvsadm -Ln --rate')).toContain('CPS    InPPS');
    await expect(run('ipvsadm -Ln --rate --stats')).rejects.toMatchObject({ code: 'USAGE' });
    expect(await run('ipvsadm -ln -t 10.96.0.10:80')).toContain('10.244.1.7');
    await expect(run('ipvsadm -ln -u 10.96.0.10:80')).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('a node without ipvs mode has the title only', async () => {
    expect((await nodeIn('iptables').run('ipvsadm -Ln')).split('\n')).toHaveLength(4);
  });
});

describe('conntrack', () => {
  test('lists, counts and filters', async () => {
    const { run, connect } = nodeIn('iptables');
    connect(CLIENT, WEB)('established');
    connect(OTHER, WEB)('established');
    expect(await run('conntrack -C')).toBe('2\n');
    const lines = async (line: string): Promise<number> => (await run(line)).split('\n').length - 1;
    expect(await lines('conntrack -L')).toBe(2);
    expect(await lines('conntrack -L -p udp')).toBe(0);
    expect(await lines('conntrack -L -p tcp -s 10.244.1.9')).toBe(1);
    expect(await lines('conntrack -L --sport 40001 -d 10.96.0.10 --dport 80')).toBe(1);
    // The pod's address is kept, the stranger's is not.
    expect(await run('conntrack -L -q 192.168.0.2')).toContain('src=203.0.113.9');
  });
});

test.each([
  'iptables-save -t raw',
  'iptables-save everything',
  'ipvsadm -L --timeout',
  'ipvsadm -Lnc --stats',
  'ipset destroy',
  'ipset list NOWHERE',
  'conntrack -D',
  'conntrack',
  'conntrack -L expect',
  'nft flush ruleset',
])('%s is refused with the usage', async (line) => {
  const refused = nodeIn('ipvs').run(line);
  await expect(refused).rejects.toMatchObject({ code: 'USAGE' });
  await expect(refused).rejects.toThrow(/\nusage: /);
});

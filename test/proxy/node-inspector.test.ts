import { describe, expect, test } from 'vitest';
import { serviceChain } from '../../src/proxy/modes/chain-names.ts';
import { renderConntrack } from '../../src/proxy/render/conntrack.ts';
import { renderIptablesSave } from '../../src/proxy/render/iptables-save.ts';
import type { NodeInspector } from '../../src/proxy/node-inspector.ts';
import { endpoint, service, type ServiceShape, slice } from '../services/objects.ts';
import { inspectedNode, NODE_IP } from './support/inspected-node.ts';

const CLIENT = { address: '203.0.113.9', port: 40_000 };
const WEB = { address: '10.96.0.10', port: 80 };
const DNS = { address: '10.96.0.53', port: 53 };

const ONE_EACH: ServiceShape[] = (['iptables', 'nftables', 'ipvs', 'userspace'] as const).map(
  (mode, index) => ({
    name: mode,
    clusterIP: `10.96.1.${index + 1}`,
    annotations: { 'podwire.io/proxy-mode': mode },
  }),
);

function nodeWith(mode: 'iptables' | 'nftables' | 'ipvs' | 'userspace', shapes: ServiceShape[]) {
  return inspectedNode(mode, {
    services: shapes.map((shape) => service(shape)),
    slices: shapes.map(({ name, ports }) =>
      slice([endpoint('10.244.1.7', 'here')], {
        service: name ?? 'web',
        ports: [{ name: '', port: 8080, protocol: ports?.[0]?.protocol ?? 'TCP' }],
      }),
    ),
  });
}

function iptablesText(inspector: NodeInspector): string {
  const tables = inspector.iptables('IPv4');
  return tables === undefined ? '' : renderIptablesSave(tables, inspector.date);
}

describe('rules of the mode that a Service is balanced by', () => {
  const chain = serviceChain('SVC', {
    namespace: 'default',
    name: 'iptables',
    port: '',
    protocol: 'TCP',
  });

  test.each(['iptables', 'nftables', 'ipvs', 'userspace'] as const)(
    'on a node in %s mode',
    (own) => {
      const { inspector } = nodeWith(own, ONE_EACH);
      const text = iptablesText(inspector);
      expect(text).toContain(
        `-d 10.96.1.1/32 -p tcp -m comment --comment "default/iptables cluster IP" -m tcp --dport 80 -j ${chain}`,
      );
      expect(text).toMatch(
        /-A KUBE-PORTALS-CONTAINER -d 10\.96\.1\.4\/32 -p tcp -m comment --comment "default\/userspace" -m tcp --dport 80 -j REDIRECT --to-ports \d+/,
      );
      expect(text).not.toContain('10.96.1.2');
      expect(text).not.toContain('10.96.1.3');
      expect(inspector.virtualServers().map(({ id }) => id)).toMatchObject([
        { address: '10.96.1.3', protocol: 'TCP', port: 80 },
      ]);
      const members = inspector.ipsets().flatMap((set) => set.members);
      expect(members).toEqual(['10.244.1.7,tcp:8080,10.244.1.7', '10.96.1.3,tcp:80', '10.96.1.3']);
      const ruleset = inspector.nftRuleset();
      expect(ruleset).toContain('10.96.1.2 . tcp . 80 : goto service-');
      for (const other of ['10.96.1.1', '10.96.1.3', '10.96.1.4'])
        expect(ruleset).not.toContain(other);
    },
  );

  test('every chain that is jumped to is there, and no rule twice', () => {
    const lines = iptablesText(nodeWith('iptables', ONE_EACH).inspector).split('\n');
    const nat = lines.slice(lines.indexOf('*nat'));
    const chains = new Set(nat.flatMap((line) => /^:(\S+)/.exec(line)?.[1] ?? []));
    const targets = nat.flatMap((line) => /-j (KUBE-\S+)/.exec(line)?.[1] ?? []);
    expect(targets.filter((target) => !chains.has(target))).toEqual([]);
    const rules = nat.filter((line) => line.startsWith('-A KUBE-POSTROUTING'));
    expect(rules).toEqual([...new Set(rules)]);
  });

  test('a mode that no Service and not the node has is not there', () => {
    const { inspector } = nodeWith('nftables', [{}]);
    expect(inspector.iptables('IPv4')).toBeUndefined();
    expect(inspector.virtualServers()).toEqual([]);
    expect(inspector.ipsets()).toEqual([]);
    expect(nodeWith('iptables', [{}]).inspector.nftRuleset()).toBe('');
  });

  test('a proxy port stays while its Service does', () => {
    const { inspector, proxier, clock } = nodeWith('userspace', [{}]);
    const portOf = (): string | undefined => /--to-ports (\d+)/.exec(iptablesText(inspector))?.[1];
    const before = portOf();
    expect(Number(before)).toBeGreaterThanOrEqual(32_768);
    proxier.setSlice(slice([endpoint('10.244.1.8', 'here')]));
    clock.advance(0);
    expect(portOf()).toBe(before);
  });
});

describe('conntrack', () => {
  const shapes: ServiceShape[] = [
    { clusterIP: WEB.address },
    { name: 'dns', clusterIP: DNS.address, ports: [{ port: 53, protocol: 'UDP' }] },
  ];
  const listed = (inspector: NodeInspector): string[] =>
    renderConntrack(inspector.conntrack()).split('\n').slice(0, -1);

  test('follows a connection from its first segment until it is forgotten', () => {
    const { inspector, connect, clock } = nodeWith('iptables', shapes);
    const tell = connect(CLIENT, WEB);
    const tuples = `src=203.0.113.9 dst=10.96.0.10 sport=40000 dport=80 src=10.244.1.7 dst=${NODE_IP} sport=8080 dport=40000`;
    const [there, back] = [
      tuples.slice(0, tuples.indexOf(' src=10')),
      tuples.slice(tuples.indexOf('src=10.244')),
    ];
    expect(listed(inspector)).toEqual([
      `tcp      6 120 SYN_SENT ${there} [UNREPLIED] ${back} mark=0 use=1`,
    ]);
    tell('established');
    expect(listed(inspector)).toEqual([
      `tcp      6 86400 ESTABLISHED ${tuples} [ASSURED] mark=0 use=1`,
    ]);
    tell('client-fin');
    expect(listed(inspector)).toEqual([
      `tcp      6 3600 CLOSE_WAIT ${tuples} [ASSURED] mark=0 use=1`,
    ]);
    tell('server-fin');
    tell('closed');
    clock.advance(20_000);
    expect(listed(inspector)).toEqual([
      `tcp      6 100 TIME_WAIT ${tuples} [ASSURED] mark=0 use=1`,
    ]);
    clock.advance(100_000);
    expect(listed(inspector)).toEqual([]);
  });

  test('shows what an open connection has left since bytes last passed', async () => {
    const { inspector, connect, clock, proxier } = nodeWith('iptables', shapes);
    const traffic = { bytesFromClient: 0 };
    const left = (): string | undefined => listed(inspector)[0]?.split(/ +/)[2];
    const tell = connect(CLIENT, WEB, traffic);
    tell('established');
    clock.advance(100_000);
    expect(left()).toBe('86300');
    // Noted within ten seconds without anybody asking, and at once when somebody does.
    traffic.bytesFromClient = 10;
    clock.advance(10_000);
    traffic.bytesFromClient = 20;
    expect(left()).toBe('86400');
    clock.advance(50_000);
    expect(left()).toBe('86350');
    clock.advance(100_000_000);
    expect(left()).toBe('0');
    await proxier.close();
    expect(clock.pending).toBe(0);
  });

  test('bytes count while the connection lasts, each once', () => {
    const { inspector, connect } = nodeWith('ipvs', shapes);
    const traffic = { bytesFromClient: 0 };
    const tell = connect(CLIENT, WEB, traffic);
    const counted = (): (number | undefined)[] =>
      inspector.virtualServers().map((one) => one.traffic.bytesIn);
    tell('established');
    traffic.bytesFromClient = 10;
    expect(counted()).toContain(10);
    traffic.bytesFromClient = 25;
    tell('client-fin');
    tell('server-fin');
    tell('closed');
    expect(counted()).toContain(25);
  });

  test.each(['client-reset', 'server-reset', 'connect-failed'] as const)(
    '%s leaves an entry for ten seconds',
    (end) => {
      const { inspector, connect, clock } = nodeWith('iptables', shapes);
      const tell = connect({ address: '10.244.1.9', port: 1234 }, WEB);
      tell(end);
      tell('closed');
      expect(listed(inspector)).toHaveLength(1);
      expect(listed(inspector)[0]).toMatch(/^tcp {6}6 10 CLOSE src=10\.244\.1\.9 /);
      clock.advance(10_000);
      expect(listed(inspector)).toEqual([]);
    },
  );

  test('keeps the last 4,096 connections that ended', () => {
    const { inspector, connect } = nodeWith('iptables', shapes);
    for (let port = 1; port <= 5000; port += 1) {
      const tell = connect({ ...CLIENT, port }, WEB);
      tell('client-reset');
      tell('closed');
    }
    const entries = inspector.conntrack();
    expect(entries).toHaveLength(4096);
    expect(entries[0]?.original.source.port).toBe(5000 - 4096 + 1);
    expect(entries.at(-1)?.original.source.port).toBe(5000);
  });

  test('lists the flows of UDP with the time they have left', () => {
    const { inspector, ask, clock } = nodeWith('iptables', shapes);
    const answer = ask(CLIENT, DNS);
    clock.advance(1000);
    expect(listed(inspector)).toEqual([
      `udp      17 29 src=203.0.113.9 dst=10.96.0.53 sport=40000 dport=53 [UNREPLIED] src=10.244.1.7 dst=${NODE_IP} sport=8080 dport=40000 mark=0 use=1`,
    ]);
    clock.advance(2000);
    answer();
    expect(listed(inspector)[0]).toMatch(/^udp {6}17 120 .* \[ASSURED\] /);
  });
});

describe('rule counts', () => {
  test('a full sync writes all, a partial one what is shared and what changed', () => {
    const { inspector, proxier, clock } = nodeWith('iptables', [
      { name: 'one', clusterIP: '10.96.1.1' },
      { name: 'two', clusterIP: '10.96.1.2' },
    ]);
    const bare = nodeWith('iptables', []).inspector.countIptables().nat.total;
    // One endpoint: 3n + 2 rules a Service, of which one is in KUBE-SERVICES.
    expect(inspector.countIptables().nat).toEqual({ total: bare + 10, last: bare + 10 });
    proxier.setSlice(
      slice([endpoint('10.244.1.7', 'here'), endpoint('10.244.1.8', 'here')], { service: 'two' }),
    );
    clock.advance(0);
    expect(inspector.countIptables().nat).toEqual({ total: bare + 13, last: bare + 13 - 4 });
    expect(inspector.countIptables().filter.last).toBe(inspector.countIptables().filter.total);
  });
});

describe('what the forwarding threads have not told yet', () => {
  test.each([0, 1, 2])(
    'a listing is of one moment: a connection whose end is told by look %i is in it once',
    (looks) => {
      const { inspector, connect, untold } = nodeWith('iptables', [
        { name: 'web', clusterIP: WEB.address },
      ]);
      const tell = connect(CLIENT, WEB);
      tell('established');
      untold.push(...Array.from({ length: looks }, () => () => {}), () => tell('closed'));
      const states = inspector.conntrack().map(({ state }) => state);
      expect(states).toEqual([looks === 0 ? 'CLOSE' : 'ESTABLISHED']);
    },
  );

  test("is in ipvs' listings", () => {
    const node = nodeWith('ipvs', [{ name: 'web', clusterIP: WEB.address }]);
    const tell = node.connect(CLIENT, WEB);
    node.untold.push(() => tell('established'));
    expect(node.inspector.ipvsConnections()).toMatchObject([{ state: 'ESTABLISHED' }]);
    node.untold.push(() => tell('client-fin'));
    expect(node.inspector.virtualServers()).toMatchObject([
      { destinations: [{ activeConnections: 0, inactiveConnections: 1 }] },
    ]);
  });
});

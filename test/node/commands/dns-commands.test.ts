import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/api/types/core.ts';
import type { NodeAgent } from '../../../src/node/node-agent.ts';
import type { CommandOutput } from '../../../src/node/commands/node-command.ts';
import { runNodeCommand } from '../../../src/node/commands/node-commands.ts';
import { DnsServers } from '../../../src/node/dns-servers.ts';
import { NodeDns } from '../../../src/node/node-dns.ts';
import { podOf } from '../../../src/node/pod-of.ts';
import type { DnsServer } from '../../../src/dns/server/dns-server.ts';
import type { ObjectFeed } from '../../../src/node/object-feed.ts';
import { clusterSource } from '../../dns/cluster-fixture.ts';
import { ask, startTestServer } from '../../dns/dns-fixture.ts';

const SVC1 = 'svc1.testns.svc.cluster.local.';
const COREFILE = '.:53 {\n kubernetes cluster.local in-addr.arpa {\n ttl 30\n}\n cache 30\n}';

/** As loopback clients, so that the test is this pod. */
const CLIENT: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'client', namespace: 'testns' },
  spec: { containers: [{ name: 'c' }] },
  status: { podIP: '127.0.0.1' },
};

describe('a node whose coredns pod runs', () => {
  let server: DnsServer;
  let dns: NodeDns;
  let servers: DnsServers;
  let stop: AbortController;

  beforeEach(async () => {
    stop = new AbortController();
    const pods = { list: () => [CLIENT] } as unknown as ObjectFeed<Pod>;
    server = await startTestServer(COREFILE, { source: clusterSource(), podOf: podOf(pods) });
    servers = new DnsServers();
    servers.add({ name: 'coredns-1', node: 'node-1', address: '127.244.0.2:53', server });
    servers.add({ name: 'elsewhere', node: 'node-2', address: '127.244.1.2:53', server });
    dns = new NodeDns({
      node: 'node-1',
      servers,
      pods,
      clusterDns: ['127.96.0.10'],
      clusterDomain: 'cluster.local',
      host: { nameservers: [], searches: ['corp.example.org'], options: [] },
    });
  });
  afterEach(() => server[Symbol.asyncDispose]());

  const run = (line: string): Promise<CommandOutput> =>
    runNodeCommand({ dns } as NodeAgent, line.split(' '), stop.signal);

  test('dns-servers lists its servers only', async () => {
    expect(await run('dns-servers')).toBe('coredns-1 127.244.0.2:53\n');
  });

  test('dns-explain walks the search path of a pod and says who was asked', async () => {
    const text = await run('dns-explain svc1 A --from testns/client');
    expect(text).toBe(`Asked coredns-1 at 127.244.0.2:53
Pod testns/client (127.0.0.1), dnsPolicy ClusterFirst: nameserver 127.96.0.10; search testns.svc.cluster.local svc.cluster.local cluster.local corp.example.org; ndots:5

1. ${SVC1} (search domain testns.svc.cluster.local)
   A     NOERROR by kubernetes
         cache: not in the cache
         kubernetes: cluster IP 10.0.0.1 [Service testns/svc1]
         cache: kept for 30 s
         ${SVC1} 30 IN A 10.0.0.1

svc1: found as ${SVC1} with 1 query.
`);
    expect(await run('dns-explain svc1 A --from testns/client')).toContain(
      'NOERROR by cache (from the cache)',
    );
  });

  test('dns-faults befall clients until they are cleared, and explain names them', async () => {
    expect(await run(`dns-faults set rcode=SERVFAIL name=${SVC1} client=testns/client`)).toBe(
      `coredns-1 fault 1: rcode=SERVFAIL name=${SVC1} client=127.0.0.1\n`,
    );
    expect((await ask(server, SVC1)).rcode).toBe(2);
    expect(await run(`dns-explain ${SVC1} A`)).toContain(`fault: rcode=SERVFAIL name=${SVC1}`);
    expect(await run('dns-faults set empty type=AAAA count=5 --server coredns-1')).toContain(
      'fault 2',
    );
    expect(await run('dns-faults list')).toBe(
      `coredns-1 fault 1: rcode=SERVFAIL name=${SVC1} client=127.0.0.1\ncoredns-1 fault 2: empty type=AAAA count=5 (5 left)\n`,
    );
    expect(await run('dns-faults clear')).toBe('coredns-1: 2 fault(s) cleared\n');
    expect((await ask(server, SVC1)).rcode).toBe(0);
  });

  test('dns-faults befall servers that start later, but for a number of queries or one server', async () => {
    await run('dns-faults set empty type=AAAA');
    await run('dns-faults set drop count=5');
    await run('dns-faults set truncate --server coredns-1');
    await using next = await startTestServer(COREFILE, { source: clusterSource() });
    const forget = servers.add({ name: 'coredns-2', node: 'node-1', address: '', server: next });
    expect(await run('dns-faults list --server coredns-2')).toBe(
      'coredns-2 fault 1: empty type=AAAA\n',
    );
    expect(await run('dns-faults clear')).toBe(
      'coredns-1: 3 fault(s) cleared\ncoredns-2: 1 fault(s) cleared\n',
    );
    forget();
    servers.add({ name: 'coredns-3', node: 'node-1', address: '', server: next });
    expect(await run('dns-faults list')).toBe('');
  });

  test('dns-faults wait for a server where there is none yet', async () => {
    const empty = new DnsServers();
    const { clusterDns, host } = {
      clusterDns: [],
      host: { nameservers: [], searches: [], options: [] },
    };
    const pods = { list: () => [CLIENT] } as unknown as ObjectFeed<Pod>;
    const settings = { clusterDns, host, clusterDomain: 'cluster.local', pods };
    dns = new NodeDns({ node: 'node-3', servers: empty, ...settings });
    expect(await run('dns-faults set drop')).toBe('');
    expect(await run('dns-faults set drop')).toBe('');
    empty.add({ name: 'coredns-4', node: 'node-3', address: '', server });
    expect(await run('dns-faults list')).toBe('coredns-4 fault 1: drop\n');
    await expect(run('dns-faults set drop --server nobody')).rejects.toThrow(
      'node-3 runs no DNS server nobody; there is coredns-4',
    );
  });

  test('dns-trace follows queries while somebody reads, and says which pod asked', async () => {
    const lines = (await run('dns-trace --name testns.svc.cluster.local')) as AsyncIterable<string>;
    const reader = lines[Symbol.asyncIterator]();
    const first = reader.next();
    await ask(server, 'cluster.local.', 'SOA');
    await ask(server, SVC1);
    expect((await first).value).toMatch(
      /^coredns-1: A svc1\.testns\.svc\.cluster\.local\. from 127\.0\.0\.1:\d+ \(Pod testns\/client\) over udp: NOERROR by kubernetes in [\d.]+ ms; cache: not in the cache; kubernetes: cluster IP 10\.0\.0\.1 \[Service testns\/svc1\]; cache: kept for 30 s\n$/,
    );
    const next = reader.next();
    stop.abort();
    expect(await next).toEqual({ done: false, value: '' });
    expect((await reader.next()).done).toBe(true);
  });

  test.each([
    ['dns-explain', /expected one name/],
    ['dns-explain svc1 NOPE', /'NOPE' is not a record type such as A or SRV/],
    ['dns-explain svc1 --from testns/nobody', /no pod testns\/nobody; there is testns\/client/],
    ['dns-explain svc1 --server other', /node-1 runs no DNS server other; there is coredns-1/],
    ['dns-faults', /nothing to do/],
    ['dns-faults set explode', /'explode' is no fault; expected one of drop, delay=500ms/],
    ['dns-faults set drop client=nobody', /client 'nobody' is not an address or a CIDR/],
    ['dns-trace now', /'now' is not an option/],
  ])('refuses %s', async (line, message) => {
    await expect(run(line)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(message) as string,
    });
  });
});

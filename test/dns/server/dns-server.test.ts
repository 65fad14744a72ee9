import { describe, expect, test } from 'vitest';
import { MemoryDnsSource } from '../../../src/dns/source/memory-source.ts';
import { addNamespaces, ask, serviceOf, sliceOf, startTestServer } from '../dns-fixture.ts';

const COREFILE = `
.:53 {
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods insecure
  }
}
`;

function exampleSource(): MemoryDnsSource {
  const source = new MemoryDnsSource();
  addNamespaces(source, 'default');
  source.set(
    'services',
    serviceOf({
      name: 'web',
      spec: { clusterIP: '10.96.0.80', ports: [{ name: 'http', port: 80 }] },
    }),
  );
  return source;
}

describe('a DNS server', () => {
  test('answers a Service over UDP, twice from the ready replies', async () => {
    await using server = await startTestServer(COREFILE, { source: exampleSource() });
    const first = await ask(server, 'web.default.svc.cluster.local.');
    const second = await ask(server, 'web.default.svc.cluster.local.');
    expect(first.answers).toEqual([
      {
        name: 'web.default.svc.cluster.local.',
        type: 1,
        class: 1,
        ttlSeconds: 5,
        data: { kind: 'address', address: '10.96.0.80' },
      },
    ]);
    expect(second).toEqual(first);
    expect(first).toMatchObject({ authoritative: true, recursionDesired: true, rcode: 0 });
  });

  test('a changed slice changes the answer at once', async () => {
    const source = exampleSource();
    source.set('services', serviceOf({ name: 'db', spec: { clusterIP: 'None' } }));
    await using server = await startTestServer(COREFILE, { source });
    expect((await ask(server, 'db.default.svc.cluster.local.')).rcode).toBe(3);
    const slice = sliceOf({
      name: 'db-1',
      service: 'db',
      endpoints: [{ addresses: ['10.1.0.1'] }],
    });
    source.set('endpointslices', slice);
    const reply = await ask(server, 'db.default.svc.cluster.local.');
    expect(reply.answers.map(({ data }) => data)).toEqual([
      { kind: 'address', address: '10.1.0.1' },
    ]);
    source.delete('endpointslices', 'db-1', 'default');
    expect((await ask(server, 'db.default.svc.cluster.local.')).rcode).toBe(3);
  });
});

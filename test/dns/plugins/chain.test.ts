import { expect, test } from 'vitest';
import { MemoryDnsSource } from '../../../src/dns/source/memory-source.ts';
import { addNamespaces, ask, serviceOf, startTestServer } from '../dns-fixture.ts';

const KUBEADM = `
.:53 {
    errors
    health 127.0.0.1:0 {
       lameduck 1ms
    }
    ready 127.0.0.1:0
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus 127.0.0.1:0
    forward . 127.0.0.1:9 {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`;

test('the kubeadm Corefile starts, answers from its cache, and ends', async () => {
  const source = new MemoryDnsSource();
  addNamespaces(source, 'default');
  source.set(
    'services',
    serviceOf({ name: 'web', spec: { clusterIP: '10.96.0.80', ports: [{ port: 80 }] } }),
  );
  const server = await startTestServer(KUBEADM, { source });
  for (let round = 0; round < 3; round += 1) {
    const reply = await ask(server, 'web.default.svc.cluster.local.');
    expect(reply.answers.map(({ data }) => data)).toEqual([
      { kind: 'address', address: '10.96.0.80' },
    ]);
  }
  await server.close();
});

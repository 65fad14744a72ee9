import { expect, test } from 'vitest';
import { defaultCorefile } from '../../../src/dns/default-corefile.ts';
import { MemoryDnsSource } from '../../../src/dns/source/memory-source.ts';
import { addNamespaces, ask, serviceOf, startTestServer } from '../dns-fixture.ts';

/** What kubeadm installs, with HTTP endpoints on free ports and a short lameduck. */
const KUBEADM = defaultCorefile({ domain: 'cluster.local', upstream: '127.0.0.1:9' })
  .replace('health {', 'health 127.0.0.1:0 {')
  .replace('lameduck 5s', 'lameduck 1ms')
  .replace('ready\n', 'ready 127.0.0.1:0\n')
  .replace(':9153', '127.0.0.1:0');

test('the kubeadm Corefile starts, answers, and ends', async () => {
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

import { expect, test } from 'vitest';
import { ask, startTestServer } from '../dns-fixture.ts';
import { clusterSource } from '../cluster-fixture.ts';
import { recordingLogger } from '../log-fixture.ts';

test('each query is told on one line: who asked, what came of it, and why', async () => {
  const { log, lines } = recordingLogger();
  await using server = await startTestServer('.:53 {\n debug\n kubernetes cluster.local\n}', {
    source: clusterSource(),
    log,
    podOf: (address) => (address === '127.0.0.1' ? 'testns/client' : undefined),
  });
  for (let query = 0; query < 2; query += 1) await ask(server, 'svc1.testns.svc.cluster.local.');
  await ask(server, 'example.org.');
  expect(
    lines.map((line) => line.replace(/:\d+ \(/, ':PORT (').replace(/[\d.]+ ms/, 'N ms')),
  ).toEqual([
    ...Array.from(
      { length: 2 },
      () =>
        'info: plugin/debug: A svc1.testns.svc.cluster.local. from 127.0.0.1:PORT (Pod testns/client) over udp: NOERROR by kubernetes in N ms; kubernetes: cluster IP 10.0.0.1 [Service testns/svc1]',
    ),
    'info: plugin/debug: A example.org. from 127.0.0.1:PORT (Pod testns/client) over udp: SERVFAIL in N ms; server: no plugin answers for this name; names elsewhere need forward',
  ]);
});

import { expect, test } from 'vitest';
import { createMetrics } from '../../../src/base/metrics.ts';
import { clusterSource } from '../cluster-fixture.ts';
import { startTestServer } from '../dns-fixture.ts';
import { fuzzServer } from './fuzz-queries.ts';

/** The full million is `npm run fuzz:dns`. */
const COUNT = 10_000;

test('mutated queries cause no crash, no hang and no reply that is too long', async () => {
  const metrics = createMetrics();
  await using server = await startTestServer(
    '. {\n errors\n bufsize 1232\n cache 30\n loadbalance\n kubernetes cluster.local in-addr.arpa ip6.arpa\n}',
    { source: clusterSource(), metrics },
  );
  const port = server.addresses[0]?.port ?? 0;
  const report = await fuzzServer({ port, count: COUNT, seed: 'unit' });
  expect(report).toMatchObject({ sent: COUNT, tooLong: [], unanswered: 0 });
  expect(report.replied).toBeGreaterThan(COUNT / 3);
  expect(await metrics.metrics()).toContain('coredns_panics_total 0');
});

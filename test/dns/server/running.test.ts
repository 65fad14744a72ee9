import { get } from 'node:http';
import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../../src/base/metrics.ts';
import { formatFault, parseFault } from '../../../src/dns/faults/fault-text.ts';
import { RecordType } from '../../../src/dns/message/codes.ts';
import { MemoryDnsSource } from '../../../src/dns/source/memory-source.ts';
import { freePort } from '../../support/free-port.ts';
import { askInside, clusterSource, testClock } from '../cluster-fixture.ts';
import {
  addNamespaces,
  ask,
  exchange,
  queryBytes,
  sliceOf,
  startTestServer,
} from '../dns-fixture.ts';
import { recordingLogger } from '../log-fixture.ts';

const SVC1 = 'svc1.testns.svc.cluster.local.';
const PLAIN = '.:53 {\n kubernetes cluster.local\n}';

function fetchText(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', reject);
  });
}

describe('another Corefile', () => {
  test('is in force from one query to the next, on the same sockets', async () => {
    await using server = await startTestServer(PLAIN, { source: clusterSource() });
    const before = server.addresses;
    expect((await ask(server, SVC1)).answers[0]?.ttlSeconds).toBe(5);
    await server.apply(PLAIN.replace('cluster.local', 'cluster.local {\n ttl 60\n}'));
    expect((await ask(server, SVC1)).answers[0]?.ttlSeconds).toBe(60);
    expect(server.addresses).toEqual(before);
  });

  test('that is no good is refused and the old one stays', async () => {
    await using server = await startTestServer(PLAIN, { source: clusterSource() });
    for (const bad of [
      '.:53 {\n nonsense\n}',
      '.:53 {',
      '',
      '. {\n whoami\n}\n.:53 {\n whoami\n}',
    ]) {
      await expect(server.apply(bad)).rejects.toThrow(/Corefile/);
      expect((await ask(server, SVC1)).answers).toHaveLength(1);
    }
  });

  test('opens and closes ports', async () => {
    const port = await freePort();
    await using server = await startTestServer(PLAIN, { source: clusterSource() });
    await server.apply(`${PLAIN}\n.:${port} {\n whoami\n}`);
    expect(server.addresses).toHaveLength(2);
    const reply = await exchange(port, queryBytes('example.org.'));
    expect(reply.readUInt16BE(10)).toBe(2);
    await server.apply(PLAIN);
    expect(server.addresses).toHaveLength(1);
  });

  test('loses no query, over and over', async () => {
    await using server = await startTestServer(PLAIN, { source: clusterSource() });
    const reloads = { done: false };
    const asked = (async () => {
      let missing = 0;
      while (!reloads.done) {
        const replies = await Promise.all(Array.from({ length: 10 }, () => ask(server, SVC1)));
        missing += replies.filter(({ answers }) => answers.length !== 1).length;
      }
      return missing;
    })();
    for (let round = 0; round < 10; round += 1)
      await server.apply(PLAIN.replace('local', `local {\n ttl ${round}\n}`));
    reloads.done = true;
    expect(await asked).toBe(0);
  });

  test('is found by the reload plugin; a bad one is told once', async () => {
    const clock = testClock();
    const metrics = createMetrics();
    const { log, lines } = recordingLogger();
    let text = '. {\n reload 2s 1s\n hosts {\n 192.0.2.1 a.org\n}\n}';
    await using server = await startTestServer(text, {
      clock,
      log,
      metrics,
      readCorefile: () => Promise.resolve(text),
      files: { read: () => Promise.resolve('') },
    });
    const settle = async (): Promise<void> => {
      clock.advance(3000);
      for (let turn = 0; turn < 20; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
    };
    text = text.replace('192.0.2.1', '192.0.2.2');
    await settle();
    expect((await askInside(server, 'a.org.'))?.answers).toEqual(['a.org. 3600 IN A 192.0.2.2']);
    text = '. {\n nonsense\n}';
    await settle();
    await settle();
    expect(lines.filter((line) => line.startsWith('error'))).toEqual([
      expect.stringContaining("Corefile:2 - Error during parsing: Unknown directive 'nonsense'"),
    ]);
    expect((await askInside(server, 'a.org.'))?.answers).toEqual(['a.org. 3600 IN A 192.0.2.2']);
    expect(await metrics.metrics()).toContain('coredns_reload_failed_total 1');
  });
});

describe('HTTP endpoints', () => {
  test('health, ready and metrics', async () => {
    const [health, ready, metrics] = [await freePort(), await freePort(), await freePort()];
    const source = new MemoryDnsSource({ synced: false });
    addNamespaces(source, 'default');
    const text = `. {\n health 127.0.0.1:${health}\n ready 127.0.0.1:${ready}\n prometheus 127.0.0.1:${metrics}\n kubernetes cluster.local {\n startup_timeout 1ms\n}\n}`;
    await using server = await startTestServer(text, { source });
    expect(await fetchText(health, '/health')).toEqual({ status: 200, body: 'OK' });
    expect(await fetchText(ready, '/ready')).toEqual({ status: 503, body: 'kubernetes' });
    source.markSynced();
    expect(await fetchText(ready, '/ready')).toEqual({ status: 200, body: 'OK' });
    expect((await fetchText(health, '/nothing')).status).toBe(404);
    for (let query = 0; query < 3; query += 1) await ask(server, 'no.default.svc.cluster.local.');
    await exchange(server.addresses[0]?.port ?? 0, queryBytes('cluster.local.', 'SOA'));
    const { body } = await fetchText(metrics, '/metrics');
    const place = 'server="dns://:53",zone=".",view=""';
    for (const line of [
      `coredns_dns_requests_total{${place},proto="udp",family="1",type="A"} 3`,
      `coredns_dns_responses_total{${place},rcode="NXDOMAIN",plugin="kubernetes"} 3`,
      `coredns_dns_responses_total{${place},rcode="NOERROR",plugin="kubernetes"} 1`,
      `coredns_dns_request_duration_seconds_count{${place}} 4`,
      `coredns_dns_request_size_bytes_bucket{${place},proto="udp",le="100"} 4`,
      `coredns_plugin_enabled{${place},name="kubernetes"} 1`,
      'coredns_panics_total 0',
    ])
      expect(body).toContain(line);
    // What the server itself refuses is counted under its own zone.
    await server.apply(text.replace('. {', 'cluster.local {'));
    await ask(server, 'example.org.');
    expect((await fetchText(metrics, '/metrics')).body).toContain(
      'coredns_dns_responses_total{server="dns://:53",zone="dropped",view="",rcode="REFUSED",plugin=""} 1',
    );
  });
});

test('what changes of headless endpoints is timed from its trigger', async () => {
  const source = clusterSource();
  const metrics = createMetrics();
  const clock = testClock();
  await using server = await startTestServer(PLAIN, { source, metrics, clock });
  const change = (service: string, ip: string): void => {
    const slice = sliceOf({
      name: `${service}-new`,
      service,
      namespace: 'testns',
      endpoints: [{ addresses: [ip] }],
      ports: [],
    });
    const triggeredAt = new Date(clock.wallNow() - 40).toISOString();
    slice.metadata.annotations = {
      'endpoints.kubernetes.io/last-change-trigger-time': triggeredAt,
    };
    source.set('endpointslices', slice);
  };
  change('web', '10.1.0.99');
  change('svc1', '10.1.0.98');
  expect((await askInside(server, 'web.testns.svc.cluster.local.'))?.answers).toHaveLength(3);
  const text = await metrics.metrics();
  const name = 'coredns_kubernetes_dns_programming_duration_seconds';
  expect(text).toContain(`${name}_count{service_kind="headless_with_selector"} 1`);
  expect(text).toContain(`${name}_sum{service_kind="headless_with_selector"} 0.04`);
  expect(text).toContain('# TYPE coredns_kubernetes_rest_client_requests_total counter');
});

describe('loop', () => {
  test('finds a server that forwards to itself', async () => {
    const port = await freePort();
    const { log, lines } = recordingLogger();
    let tell: (error: Error) => void = () => undefined;
    const found = new Promise<Error>((resolve) => {
      tell = resolve;
    });
    await using server = await startTestServer(`. {\n loop\n forward . 127.0.0.1:${port}\n}`, {
      log,
      listen: [{ address: '127.0.0.1', port }],
      onFatal: tell,
    });
    expect(server.addresses).toHaveLength(1);
    expect((await found).message).toMatch(
      /^Loop \(127\.0\.0\.1 -> dns:\/\/:53\) detected for zone "\."/,
    );
    expect(lines.some((line) => line.startsWith('fatal: plugin/loop: Loop'))).toBe(true);
  });
});

describe('faults', () => {
  test('befall what they are for, and go away', async () => {
    await using server = await startTestServer(PLAIN, { source: clusterSource() });
    const rcode = async (name: string, type?: string): Promise<number> =>
      (await ask(server, name, type)).rcode;
    const fault = server.faults.add({
      action: { kind: 'rcode', rcode: 2 },
      name: 'testns.svc.cluster.local',
      type: RecordType.A,
    });
    expect(await rcode(SVC1)).toBe(2);
    expect(await rcode(SVC1, 'AAAA')).toBe(0);
    expect(await rcode('cluster.local.')).toBe(0);
    fault.remove();
    expect(await rcode(SVC1)).toBe(0);
    server.faults.add({ action: { kind: 'rcode', rcode: 2 }, client: '127.0.0.0/8', count: 2 });
    expect([await rcode(SVC1), await rcode(SVC1), await rcode(SVC1)]).toEqual([2, 2, 0]);
    server.faults.add({ action: { kind: 'rcode', rcode: 2 }, client: '192.0.2.1' });
    expect(await rcode(SVC1)).toBe(0);
    server.faults.clear();
    server.faults.add({ action: { kind: 'unsynced' } });
    expect(await rcode('no.testns.svc.cluster.local.')).toBe(2);
    expect(() => server.faults.add({ action: { kind: 'drop' }, client: 'nobody' })).toThrow(
      "client 'nobody' is not an address or a CIDR",
    );
  });

  test('befall the same queries again with the same seed', async () => {
    const run = async (): Promise<string> => {
      await using server = await startTestServer(PLAIN, { source: clusterSource() });
      server.faults.add({ action: { kind: 'rcode', rcode: 2 }, fraction: 0.5 });
      let rcodes = '';
      for (let query = 0; query < 20; query += 1) rcodes += (await ask(server, SVC1)).rcode;
      return rcodes;
    };
    const first = await run();
    expect(first).toMatch(/^(?=.*0)(?=.*2)/);
    expect(await run()).toBe(first);
  });

  test('AAAA questions can be the only ones without a reply', async () => {
    await using server = await startTestServer(PLAIN, { source: clusterSource() });
    server.faults.add(parseFault(['drop', 'type=AAAA']));
    const packets = [queryBytes(SVC1, 'AAAA', { id: 1 }), queryBytes(SVC1, 'A', { id: 2 })];
    const reply = await exchange(server.addresses[0]?.port ?? 0, packets);
    expect(reply.readUInt16BE(0)).toBe(2);
    expect(server.faults.list().map(({ fault }) => formatFault(fault))).toEqual(['drop type=AAAA']);
  });

  test('stale answers stay whatever changes', async () => {
    const source = clusterSource();
    await using server = await startTestServer(PLAIN, { source });
    server.faults.add({ action: { kind: 'stale' }, name: 'testns.svc.cluster.local' });
    expect((await ask(server, SVC1)).rcode).toBe(0);
    source.delete('services', 'svc1', 'testns');
    expect((await ask(server, SVC1)).rcode).toBe(0);
    server.faults.clear();
    expect((await ask(server, SVC1)).rcode).toBe(3);
  });
});

test('a flood of names that do not exist leaves the answers that are ready', async () => {
  await using server = await startTestServer(PLAIN, { source: clusterSource() });
  for (let index = 0; index < 300; index += 1)
    expect((await ask(server, `no-${index}.testns.svc.cluster.local.`)).rcode).toBe(3);
  expect((await ask(server, SVC1)).answers).toHaveLength(1);
});

import { describe, expect, test } from 'vitest';
import { createMetrics } from '../../../src/base/metrics.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { parseFault } from '../../../src/dns/faults/fault-text.ts';
import { decodeMessage } from '../../../src/dns/message/decode-message.ts';
import type { DnsServer } from '../../../src/dns/server/dns-server.ts';
import { askInside } from '../cluster-fixture.ts';
import { ask, exchangeOverTcp, queryBytes, startTestServer } from '../dns-fixture.ts';

/** A server that answers every A question with its own address. */
function upstream(address: string, extra = ''): Promise<DnsServer> {
  return startTestServer(`. {\n ${extra}\n hosts {\n ${address} www.example.org\n ttl 60\n}\n}`);
}

function portOf(server: DnsServer): number {
  return server.addresses[0]?.port ?? 0;
}

async function answerOf(server: DnsServer): Promise<string> {
  const reply = await askInside(server, 'www.example.org.');
  return reply?.answers.map((text) => text.split(' ').at(-1)).join() || (reply?.rcode ?? 'none');
}

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  const server = await upstream('192.0.2.99');
  const port = portOf(server);
  await server.close();
  return port;
}

describe('forward', () => {
  test('asks over the protocol the client used and keeps the reply as it is', async () => {
    await using up = await upstream('192.0.2.1');
    await using server = await startTestServer(`. {\n forward . 127.0.0.1:${portOf(up)}\n}`);
    const overUdp = await ask(server, 'WWW.example.org.');
    expect(overUdp.answers[0]?.data).toEqual({ kind: 'address', address: '192.0.2.1' });
    expect(overUdp.id).toBe(4711);
    const [overTcp] = await exchangeOverTcp(portOf(server), [queryBytes('www.example.org.')]);
    expect(decodeMessage(overTcp ?? Buffer.alloc(0)).answers).toHaveLength(1);
  });

  test('takes upstreams by policy', async () => {
    await using one = await upstream('192.0.2.1');
    await using two = await upstream('192.0.2.2');
    const to = `127.0.0.1:${portOf(one)} 127.0.0.1:${portOf(two)}`;
    const seen = async (policy: string): Promise<string> => {
      await using server = await startTestServer(
        `. {\n forward . ${to} {\n policy ${policy}\n}\n}`,
        {
          random: seededRandom('policies'),
        },
      );
      const answers: string[] = [];
      for (let query = 0; query < 6; query += 1)
        answers.push((await answerOf(server)).split('.').at(-1) ?? '');
      return answers.join('');
    };
    expect(await seen('sequential')).toBe('111111');
    expect(await seen('round_robin')).toBe('121212');
    expect(new Set(await seen('random'))).toEqual(new Set(['1', '2']));
  });

  test('goes on to the next upstream when one does not answer', async () => {
    await using up = await upstream('192.0.2.1');
    const dead = await deadPort();
    await using server = await startTestServer(
      `. {\n forward . 127.0.0.1:${dead} 127.0.0.1:${portOf(up)} {\n policy sequential\n}\n}`,
    );
    expect(await answerOf(server)).toBe('192.0.2.1');
  });

  test('is SERVFAIL when nobody answers, and says so', async () => {
    const dead = await deadPort();
    await using server = await startTestServer(`. {\n forward . 127.0.0.1:${dead}\n}`);
    expect(await answerOf(server)).toBe('SERVFAIL');
  });

  test('gives up on an upstream that is silent, and counts it', async () => {
    const metrics = createMetrics();
    await using silent = await startTestServer('. {\n erratic {\n drop 1\n}\n}');
    const to = `127.0.0.1:${portOf(silent)}`;
    await using server = await startTestServer(
      `. {\n forward . ${to} {\n read_timeout 20ms\n health_check 1ms\n max_fails 0\n}\n}`,
      { metrics },
    );
    expect(await answerOf(server)).toBe('SERVFAIL');
    expect(await metrics.metrics()).toContain(
      `coredns_proxy_conn_cache_misses_total{proxy_name="forward",to="${to}",proto="udp"} 2`,
    );
  });

  test('leaves names of other zones and exceptions to the next plugin', async () => {
    await using up = await upstream('192.0.2.1');
    await using server = await startTestServer(
      `. {\n forward example.org 127.0.0.1:${portOf(up)} {\n except inner.example.org\n}\n whoami\n}`,
    );
    expect(await answerOf(server)).toBe('192.0.2.1');
    for (const name of ['x.inner.example.org.', 'example.net.'])
      expect((await askInside(server, name))?.additionals).toHaveLength(2);
  });

  test('passes on replies with the codes of `next`', async () => {
    await using up = await upstream(
      '192.0.2.1',
      'template IN A no.example.org {\n rcode NXDOMAIN\n fallthrough\n}',
    );
    await using other = await startTestServer('. {\n whoami\n}');
    const start = (options: string, then: string): Promise<DnsServer> =>
      startTestServer(`. {\n forward . 127.0.0.1:${portOf(up)} {\n ${options}\n}\n ${then}\n}`);
    const second = `forward . 127.0.0.1:${portOf(other)}`;
    await using server = await start('next NXDOMAIN', second);
    expect((await askInside(server, 'no.example.org.'))?.additionals).toHaveLength(2);
    expect(await answerOf(server)).toBe('192.0.2.1');
    // Only another forward is such a next one.
    await using alone = await start('next NXDOMAIN', 'whoami');
    expect((await askInside(alone, 'no.example.org.'))?.rcode).toBe('NXDOMAIN');
    await using noData = await start('next_on_nodata', second);
    expect((await askInside(noData, 'www.example.org.', 'AAAA'))?.additionals).toHaveLength(2);
    expect((await askInside(noData, 'no.example.org.'))?.rcode).toBe('NXDOMAIN');
  });

  test('asks no more upstreams than max_connect_attempts', async () => {
    const metrics = createMetrics();
    const dead = [await deadPort(), await deadPort()];
    const to = dead.map((port) => `127.0.0.1:${port}`).join(' ');
    await using server = await startTestServer(
      `. {\n forward . ${to} {\n max_fails 0\n policy sequential\n max_connect_attempts 1\n}\n}`,
      { metrics },
    );
    expect(await answerOf(server)).toBe('SERVFAIL');
    const text = await metrics.metrics();
    expect(text).toContain(
      `conn_cache_misses_total{proxy_name="forward",to="127.0.0.1:${dead[0]}"`,
    );
    expect(text).not.toContain(`to="127.0.0.1:${dead[1]}"`);
  });

  test('keeps no more idle sockets than max_idle_conns', async () => {
    await using up = await upstream('192.0.2.1');
    const metrics = createMetrics();
    await using server = await startTestServer(
      `. {\n forward . 127.0.0.1:${portOf(up)} {\n max_idle_conns 1\n}\n}`,
      { metrics },
    );
    await Promise.all([answerOf(server), answerOf(server), answerOf(server)]);
    await Promise.all([answerOf(server), answerOf(server), answerOf(server)]);
    expect(await metrics.metrics()).toMatch(/conn_cache_hits_total\{[^}]*proto="udp"\} 1\n/);
  });

  test('refuses more than max_concurrent at a time', async () => {
    await using slow = await startTestServer('. {\n erratic {\n drop 0\n delay 1 50ms\n}\n}');
    const metrics = createMetrics();
    await using server = await startTestServer(
      `. {\n forward . 127.0.0.1:${portOf(slow)} {\n max_concurrent 2\n}\n}`,
      { metrics },
    );
    const rcodes = await Promise.all(
      Array.from({ length: 5 }, async () => (await askInside(server, 'x.org.'))?.rcode),
    );
    expect(rcodes.filter((rcode) => rcode === 'NOERROR')).toHaveLength(2);
    expect(rcodes.filter((rcode) => rcode === 'REFUSED')).toHaveLength(3);
    expect(await metrics.metrics()).toContain('coredns_forward_max_concurrent_rejects_total 3');
  });

  test('upstreams fail while a fault says so, and caches see it', async () => {
    await using up = await upstream('192.0.2.1');
    await using server = await startTestServer(
      `. {\n forward . 127.0.0.1:${portOf(up)} {\n read_timeout 300ms\n}\n}`,
    );
    server.faults.add(parseFault(['upstream=REFUSED', 'count=1']));
    expect(await answerOf(server)).toBe('REFUSED');
    expect(await answerOf(server)).toBe('192.0.2.1');
    server.faults.add(parseFault(['upstream=timeout', 'name=example.org']));
    expect(await answerOf(server)).toBe('SERVFAIL');
    server.faults.clear();
    expect(await answerOf(server)).toBe('192.0.2.1');
  });

  test('reads upstreams from a resolv.conf', async () => {
    const files = {
      read: () => Promise.resolve('nameserver 192.0.2.1\nnameserver fe80::1%eth0\n'),
    };
    await using server = await startTestServer(
      '. {\n forward example.org /etc/resolv.conf\n whoami\n}',
      { files },
    );
    expect((await askInside(server, 'example.net.'))?.rcode).toBe('NOERROR');
  });
});

import { expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { ProxyHealth } from '../../../src/proxy/health/proxy-health.ts';
import { startProxyServers } from '../../../src/proxy/health/proxy-servers.ts';
import { ProxyMetrics } from '../../../src/proxy/proxy-metrics.ts';

const ANY = { address: '127.0.0.1', port: 0 };

function setUp() {
  const clock = new ManualClock();
  const registry = createMetrics();
  const pending = { services: () => 3, endpoints: () => 4 };
  return {
    nodeName: 'node-1',
    mode: 'ipvs',
    configz: { 'kubeproxy.config.k8s.io': { mode: 'ipvs' } },
    health: new ProxyHealth(clock, 30_000),
    proxyMetrics: new ProxyMetrics(registry, clock, pending),
    registry,
  };
}

test('kube-proxy answers on its two ports', async () => {
  await using servers = await startProxyServers({ ...setUp(), healthz: ANY, metrics: ANY });
  const get = async (port: number | undefined, path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  const healthz = await get(servers.healthz?.port, '/healthz?verbose');
  expect(healthz.status).toBe(200);
  expect(healthz.headers.get('x-content-type-options')).toBe('nosniff');
  expect((await get(servers.healthz?.port, '/livez')).status).toBe(200);
  expect((await get(servers.healthz?.port, '/proxyMode')).status).toBe(404);
  expect((await get(servers.metrics?.port, '/proxyMode')).body).toBe('ipvs');
  expect((await get(servers.metrics?.port, '/healthz')).body).toBe('ok');
  expect((await get(servers.metrics?.port, '/healthz', 'POST')).status).toBe(405);
  expect(JSON.parse((await get(servers.metrics?.port, '/configz')).body)).toEqual({
    'kubeproxy.config.k8s.io': { mode: 'ipvs' },
  });
  const { body } = await get(servers.metrics?.port, '/metrics');
  for (const line of [
    'kubeproxy_proxy_healthz_total{code="200"} 1',
    'kubeproxy_proxy_livez_total{code="200"} 1',
    'kubeproxy_sync_proxy_rules_service_changes_pending 3',
    'kubeproxy_sync_proxy_rules_endpoint_changes_pending 4',
    'kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal"} 0',
    'kubeproxy_sync_proxy_rules_duration_seconds_bucket{le="16.384"} 0',
    'kubeproxy_network_programming_duration_seconds_bucket{le="300"} 0',
  ])
    expect(body).toContain(`${line}\n`);
});

test('a server that cannot be opened leaves none behind', async () => {
  await using first = await startProxyServers({ ...setUp(), healthz: ANY, metrics: undefined });
  const taken = first.healthz;
  await expect(
    startProxyServers({ ...setUp(), healthz: ANY, metrics: taken }),
  ).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

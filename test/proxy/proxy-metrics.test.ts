import { expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { ProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import { RoutingState } from '../../src/services/routing-state.ts';
import { endpoint, service, slice } from '../services/objects.ts';

test('syncs are timed from their start and from what caused them', async () => {
  const clock = new ManualClock();
  const registry = createMetrics();
  const metrics = new ProxyMetrics(registry, clock, { services: () => 0, endpoints: () => 0 });
  const { table } = new RoutingState({ nodeName: 'a', zone: '' });
  metrics.serviceChanged();
  metrics.endpointChanged();
  metrics.endpointChanged();
  const startedAt = clock.now();
  const triggeredAtMs = [clock.wallNow() - 10_000];
  clock.advance(20);
  metrics.synced({ before: table, after: table, full: true, startedAt, triggeredAtMs });
  metrics.reconciled(clock.now(), 7);
  const text = await registry.metrics();
  expect(text).toContain('kubeproxy_sync_proxy_rules_duration_seconds_sum 0.02\n');
  expect(text).toContain('kubeproxy_sync_full_proxy_rules_duration_seconds_count 1\n');
  expect(text).toContain('kubeproxy_sync_partial_proxy_rules_duration_seconds_count 0\n');
  expect(text).toContain('kubeproxy_network_programming_duration_seconds_sum 10.02\n');
  expect(text).toContain('kubeproxy_sync_proxy_rules_endpoint_changes_total 2\n');
  expect(text).toContain('kubeproxy_sync_proxy_rules_service_changes_total 1\n');
  expect(text).toContain('kubeproxy_conntrack_reconciler_deleted_entries_total 7\n');
});

test.each([
  ['all elsewhere', ['b'], 1],
  ['one here', ['a', 'b'], 0],
  ['none at all', [], 0],
])('the no-local gauge counts what would be dropped: %s', async (_name, nodes, expected) => {
  const clock = new ManualClock();
  const registry = createMetrics();
  const metrics = new ProxyMetrics(registry, clock, { services: () => 0, endpoints: () => 0 });
  const state = new RoutingState({ nodeName: 'a', zone: '' });
  const before = state.table;
  state.setService(service({ internalTrafficPolicy: 'Local' }));
  state.setSlice(slice(nodes.map((node, index) => endpoint(`10.0.0.${index + 1}`, node))));
  const { table: after } = state.build();
  const report = { full: true, startedAt: 0, triggeredAtMs: [] };
  metrics.synced({ ...report, before, after });
  const line = 'kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="internal"}';
  expect(await registry.metrics()).toContain(`${line} ${expected}\n`);
  state.deleteService({ namespace: 'default', name: 'web' });
  metrics.synced({ ...report, before: after, after: state.build().table });
  expect(await registry.metrics()).toContain(`${line} 0\n`);
});

import { expect, test } from 'vitest';
import { createMetrics } from '../../src/base/metrics.ts';
import { registerRuleMetrics } from '../../src/proxy/rule-metrics.ts';

async function namesIn(mode: 'iptables' | 'nftables' | 'ipvs' | 'userspace'): Promise<string[]> {
  const registry = createMetrics();
  const none = { total: 0, last: 0 };
  registerRuleMetrics(registry, mode, () => ({ nat: none, filter: none }));
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name }) => name.replace('kubeproxy_sync_proxy_rules_', '')).toSorted();
}

test('each mode has its own metrics', async () => {
  expect(await namesIn('iptables')).toEqual([
    'iptables_last',
    'iptables_partial_restore_failures_total',
    'iptables_restore_failures_total',
    'iptables_total',
  ]);
  expect(await namesIn('ipvs')).toEqual(['iptables_restore_failures_total']);
  expect(await namesIn('nftables')).toEqual([
    'nftables_cleanup_failures_total',
    'nftables_sync_failures_total',
  ]);
  expect(await namesIn('userspace')).toEqual([]);
});

test('rules are counted when somebody reads the metrics', async () => {
  const registry = createMetrics();
  let asked = 0;
  registerRuleMetrics(registry, 'iptables', () => {
    asked += 1;
    return { nat: { total: 12, last: 5 }, filter: { total: 3, last: 3 } };
  });
  expect(asked).toBe(0);
  const text = await registry.metrics();
  expect(text).toContain('kubeproxy_sync_proxy_rules_iptables_total{table="nat"} 12\n');
  expect(text).toContain('kubeproxy_sync_proxy_rules_iptables_last{table="nat"} 5\n');
  expect(text).toContain('kubeproxy_sync_proxy_rules_iptables_total{table="filter"} 3\n');
});

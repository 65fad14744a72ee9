import { Counter, Gauge } from 'prom-client';
import type { Metrics } from '../base/metrics.ts';
import type { ProxyModeName } from './proxy-mode.ts';

/** How many rules one table of iptables has, and how many of them the last sync wrote. */
export interface RuleCounts {
  readonly total: number;
  readonly last: number;
}

export type CountedTable = 'nat' | 'filter';

/** What kube-proxy counts where rules cannot be written, by mode; here nothing is written that could fail. */
const FAILURES: Readonly<Partial<Record<ProxyModeName, readonly string[]>>> = {
  iptables: [
    'sync_proxy_rules_iptables_restore_failures_total',
    'sync_proxy_rules_iptables_partial_restore_failures_total',
  ],
  ipvs: ['sync_proxy_rules_iptables_restore_failures_total'],
  nftables: [
    'sync_proxy_rules_nftables_sync_failures_total',
    'sync_proxy_rules_nftables_cleanup_failures_total',
  ],
};

/**
 * The metrics that kube-proxy has in some modes only (RegisterMetrics of pkg/proxy/metrics). `count` is asked when
 * somebody reads them: counting means writing the rules.
 */
export function registerRuleMetrics(
  registry: Metrics,
  mode: ProxyModeName,
  count: () => Readonly<Record<CountedTable, RuleCounts>>,
): void {
  for (const name of FAILURES[mode] ?? [])
    registry.registerMetric(
      new Counter({
        name: `kubeproxy_${name}`,
        help: 'Failures to write rules; podwire writes none',
        registers: [],
      }),
    );
  if (mode !== 'iptables') return;
  for (const which of ['total', 'last'] as const)
    registry.registerMetric(
      new Gauge({
        name: `kubeproxy_sync_proxy_rules_iptables_${which}`,
        help: which === 'total' ? 'Rules of kube-proxy' : 'Rules that the last sync wrote',
        labelNames: ['table'],
        registers: [],
        collect() {
          for (const [table, counts] of Object.entries(count())) this.set({ table }, counts[which]);
        },
      }),
    );
}

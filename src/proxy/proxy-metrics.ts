import { Counter, exponentialBuckets, Gauge, Histogram, linearBuckets } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import type { Metrics } from '../base/metrics.ts';
import type { RoutingTable, ServicePort } from '../services/routing-table.ts';

/** 0.001 s × 2^k. */
const SYNC_BUCKETS = exponentialBuckets(0.001, 2, 15);
const PROGRAMMING_BUCKETS = [
  0.25,
  0.5,
  ...linearBuckets(1, 1, 59),
  ...linearBuckets(60, 5, 12),
  ...linearBuckets(120, 30, 7),
];

export interface SyncReport {
  readonly before: RoutingTable;
  readonly after: RoutingTable;
  readonly full: boolean;
  /** The Clock's monotonic milliseconds. */
  readonly startedAt: number;
  /** Unix milliseconds of what caused the changes, as far as known. */
  readonly triggeredAtMs: readonly number[];
}

/** kube-proxy's own metrics under their own names (pkg/proxy/metrics/metrics.go), as far as they mean something here. */
export class ProxyMetrics {
  readonly #clock: Clock;
  readonly #registers: [Metrics];
  readonly #syncSeconds: Histogram;
  readonly #fullSyncSeconds: Histogram;
  readonly #partialSyncSeconds: Histogram;
  readonly #programmingSeconds: Histogram;
  readonly #lastSync: Gauge;
  readonly #lastQueued: Gauge;
  readonly #endpointChanges: Counter;
  readonly #serviceChanges: Counter;
  readonly #noLocal: Gauge<'traffic_policy'>;
  readonly #healthz: Counter<'code'>;
  readonly #livez: Counter<'code'>;
  readonly #reconcilerSeconds: Histogram;
  readonly #reconcilerDeleted: Counter;

  constructor(
    registry: Metrics,
    clock: Clock,
    pending: { readonly services: () => number; readonly endpoints: () => number },
  ) {
    this.#clock = clock;
    this.#registers = [registry];
    this.#syncSeconds = this.#seconds(
      'sync_proxy_rules_duration_seconds',
      'SyncProxyRules latency in seconds',
    );
    this.#fullSyncSeconds = this.#seconds(
      'sync_full_proxy_rules_duration_seconds',
      'SyncProxyRules latency in seconds for full resyncs',
    );
    this.#partialSyncSeconds = this.#seconds(
      'sync_partial_proxy_rules_duration_seconds',
      'SyncProxyRules latency in seconds for partial resyncs',
    );
    this.#programmingSeconds = this.#seconds(
      'network_programming_duration_seconds',
      'From the change of an endpoint or Service to the rules that follow it, in seconds',
      PROGRAMMING_BUCKETS,
    );
    this.#lastSync = this.#gauge(
      'sync_proxy_rules_last_timestamp_seconds',
      'When rules were last synced',
    );
    this.#lastQueued = this.#gauge(
      'sync_proxy_rules_last_queued_timestamp_seconds',
      'When a sync was last asked for',
    );
    this.#endpointChanges = this.#counter(
      'sync_proxy_rules_endpoint_changes_total',
      'Changes of endpoints taken in',
    );
    this.#serviceChanges = this.#counter(
      'sync_proxy_rules_service_changes_total',
      'Changes of Services taken in',
    );
    this.#gauge(
      'sync_proxy_rules_endpoint_changes_pending',
      'Changes of endpoints that wait for a sync',
      pending.endpoints,
    );
    this.#gauge(
      'sync_proxy_rules_service_changes_pending',
      'Changes of Services that wait for a sync',
      pending.services,
    );
    this.#noLocal = new Gauge({
      name: 'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
      help: 'Service ports with a Local traffic policy whose endpoints are all elsewhere',
      labelNames: ['traffic_policy'],
      registers: this.#registers,
    });
    this.#noLocal.set({ traffic_policy: 'internal' }, 0);
    this.#noLocal.set({ traffic_policy: 'external' }, 0);
    this.#healthz = this.#byCode('proxy_healthz_total', 'Answers of /healthz by HTTP code');
    this.#livez = this.#byCode('proxy_livez_total', 'Answers of /livez by HTTP code');
    this.#reconcilerSeconds = this.#seconds(
      'conntrack_reconciler_sync_duration_seconds',
      'Reconciling UDP flows with endpoints, in seconds',
    );
    this.#reconcilerDeleted = this.#counter(
      'conntrack_reconciler_deleted_entries_total',
      'UDP flows ended because their endpoint does not serve any more',
    );
  }

  endpointChanged(): void {
    this.#endpointChanges.inc();
    this.#queued();
  }

  serviceChanged(): void {
    this.#serviceChanges.inc();
    this.#queued();
  }

  synced(report: SyncReport): void {
    const seconds = (this.#clock.now() - report.startedAt) / 1000;
    this.#syncSeconds.observe(seconds);
    (report.full ? this.#fullSyncSeconds : this.#partialSyncSeconds).observe(seconds);
    this.#lastSync.set(this.#clock.wallNow() / 1000);
    for (const triggeredAtMs of report.triggeredAtMs)
      this.#programmingSeconds.observe((this.#clock.wallNow() - triggeredAtMs) / 1000);
    this.#countNoLocal(report);
  }

  reconciled(startedAt: number, deleted: number): void {
    this.#reconcilerSeconds.observe((this.#clock.now() - startedAt) / 1000);
    this.#reconcilerDeleted.inc(deleted);
  }

  asked(path: '/healthz' | '/livez', code: number): void {
    (path === '/healthz' ? this.#healthz : this.#livez).inc({ code: String(code) });
  }

  #queued(): void {
    this.#lastQueued.set(this.#clock.wallNow() / 1000);
  }

  /** Only what changed is looked at. */
  #countNoLocal({ before, after }: SyncReport): void {
    for (const change of before.servicePorts.differences(after.servicePorts))
      for (const traffic_policy of ['internal', 'external'] as const) {
        const delta =
          Number(lacksLocal(change.after, traffic_policy)) -
          Number(lacksLocal(change.before, traffic_policy));
        if (delta !== 0) this.#noLocal.inc({ traffic_policy }, delta);
      }
  }

  #seconds(name: string, help: string, buckets: number[] = SYNC_BUCKETS): Histogram {
    return new Histogram({
      name: `kubeproxy_${name}`,
      help,
      buckets,
      registers: this.#registers,
    });
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `kubeproxy_${name}`, help, registers: this.#registers });
  }

  #byCode(name: string, help: string): Counter<'code'> {
    const registers = this.#registers;
    return new Counter({ name: `kubeproxy_${name}`, help, labelNames: ['code'], registers });
  }

  #gauge(name: string, help: string, value?: () => number): Gauge {
    return new Gauge({
      name: `kubeproxy_${name}`,
      help,
      registers: this.#registers,
      ...(value === undefined
        ? {}
        : {
            collect(): void {
              this.set(value());
            },
          }),
    });
  }
}

/** Usable endpoints exist, and none of them here: only the traffic that must stay local is dropped. */
function lacksLocal(
  servicePort: ServicePort | undefined,
  policy: 'internal' | 'external',
): boolean {
  if (servicePort === undefined) return false;
  const { info, categories } = servicePort;
  const local = policy === 'internal' ? info.internalPolicyLocal : info.externalPolicyLocal;
  return local && categories.hasAny && categories.local.length === 0;
}

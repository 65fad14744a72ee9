import type { EndpointSlice } from '../../../api/types/discovery.ts';
import type { Clock } from '../../../base/clock.ts';
import type { MetricFamilies } from '../../metrics/metric-families.ts';

/** When what the slice says became true, by the controller that wrote it. */
const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';
/** plugin/kubernetes/object/metrics.go: 1 ms doubling, 20 buckets. Seconds. */
const LATENCY_BOUNDS = Array.from({ length: 20 }, (_, index) => 0.001 * 2 ** index);
const REQUEST_LABELS = ['verb', 'host'] as const;

/**
 * The coredns_kubernetes_* families. Those of the REST client stay empty: objects come from informers that are shared with
 * the rest of the process, and nobody is asked over HTTP.
 */
export class KubernetesMetrics {
  readonly #clock: Clock;
  readonly #latency: { observe(seconds: number): void };

  constructor(families: MetricFamilies, clock: Clock) {
    this.#clock = clock;
    const name = (suffix: string): string => `coredns_kubernetes_${suffix}`;
    this.#latency = families
      .histogram(
        name('dns_programming_duration_seconds'),
        'Time from the change of an endpoint to its being served, in seconds.',
        ['service_kind'],
        LATENCY_BOUNDS,
      )
      .of('headless_with_selector');
    for (const kind of ['request', 'rate_limiter'])
      families.histogram(
        name(`rest_client_${kind}_duration_seconds`),
        'Unused: the Kubernetes API is not asked over HTTP.',
        REQUEST_LABELS,
        LATENCY_BOUNDS,
      );
    families.counter(
      name('rest_client_requests_total'),
      'Unused: the Kubernetes API is not asked over HTTP.',
      ['method', 'code', 'host'],
    );
  }

  /** A slice has changed. Only headless Services count, as their slices are what is served. */
  sliceChanged(slice: EndpointSlice, isHeadless: boolean): void {
    const triggeredAt = Date.parse(slice.metadata.annotations?.[TRIGGER_TIME_ANNOTATION] ?? '');
    if (!isHeadless || Number.isNaN(triggeredAt)) return;
    this.#latency.observe(Math.max(0, this.#clock.wallNow() - triggeredAt) / 1000);
  }
}

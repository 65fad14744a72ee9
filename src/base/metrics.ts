import { Registry } from 'prom-client';

/** Where a component registers its counters. One per process or per node: injected, never global. */
export type Metrics = Registry;

/** An empty registry of its own. */
export function createMetrics(): Metrics {
  return new Registry();
}

/** How soon a silent node counts as lost. The real defaults; demos and tests are quicker. */
export interface NodeLifecycleConfig {
  /** --node-monitor-grace-period. */
  readonly gracePeriodMs: number;
  /** --node-monitor-period. */
  readonly monitorPeriodMs: number;
}

export const DEFAULT_NODE_LIFECYCLE: NodeLifecycleConfig = {
  gracePeriodMs: 40_000,
  monitorPeriodMs: 5_000,
};

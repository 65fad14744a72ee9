import { overviewHeatmap } from './plots/overview-heatmap.ts';
import { METRIC_INFO } from './metric-info.ts';
import type { Metric, ScenarioResult } from './result.ts';

/** What tells algorithms apart at a glance, and how many times the best is far off. */
const FIGURES: readonly { readonly name: string; readonly metric: Metric; readonly far: number }[] =
  [
    { name: 'p99', metric: 'p99Ms', far: 10 },
    { name: 'imbalance', metric: 'connectionSpread', far: 4 },
    { name: 'failed', metric: 'failedShare', far: 10 },
  ];

export interface Overview {
  readonly name: string;
  readonly svg: string;
  /** What it shows, for people. */
  readonly about: string;
}

/** Heat maps of algorithm × scenario; none for a single scenario, nor for a figure that is 0 everywhere. */
export function overviews(scenarios: readonly ScenarioResult[]): Overview[] {
  if (scenarios.length < 2) return [];
  return FIGURES.flatMap(({ name, metric, far }) => {
    const shown = scenarios.filter(({ algorithms }) =>
      algorithms.some(({ runs }) => runs.some(({ metrics }) => metrics[metric] > 0)),
    );
    if (shown.length === 0) return [];
    const { about } = METRIC_INFO[metric];
    return [{ name, svg: overviewHeatmap(shown, metric, far), about }];
  });
}

import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../../base/metrics.ts';

/** A number that somebody increments; reading happens when metrics are scraped. */
export interface Cell {
  value: number;
}

/** One histogram series. `observe` allocates nothing. */
export interface HistogramCell {
  observe(value: number): void;
}

export interface Family<T> {
  /** The series with these label values, in the order of the label names; kept for ever once asked for. */
  of(...labels: readonly string[]): T;
}

interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

interface SeriesOf<T> {
  readonly labels: readonly string[];
  readonly cell: T;
}

/**
 * Metric families by name over a prom-client registry. Series are plain cells that a query can increment
 * without building label objects; the registry reads them when it is scraped. Families outlive reloads.
 */
export class MetricFamilies {
  readonly registry: Metrics;
  readonly #families = new Map<string, Family<Cell> | Family<HistogramCell>>();

  constructor(registry: Metrics) {
    this.registry = registry;
  }

  counter(name: string, help: string, labels: readonly string[] = []): Family<Cell> {
    return this.#cells({ name, help, labels }, Counter);
  }

  gauge(name: string, help: string, labels: readonly string[] = []): Family<Cell> {
    return this.#cells({ name, help, labels }, Gauge);
  }

  histogram(
    name: string,
    help: string,
    labels: readonly string[],
    bounds: readonly number[],
  ): Family<HistogramCell> {
    const known = this.#families.get(name);
    if (known !== undefined) return known as Family<HistogramCell>;
    const series = new SeriesMap(() => new HistogramSeries(bounds));
    const metric = new Histogram({
      name,
      help,
      labelNames: [...labels],
      buckets: [...bounds],
      registers: [this.registry],
    });
    // prom-client would look a label object up for every observation; the values are ours, so say them.
    const read = (): Promise<unknown> =>
      Promise.resolve({
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: series
          .all()
          .flatMap(({ labels: values, cell }) => cell.valuesAs(name, labelObject(labels, values))),
      });
    // The registry prefers the second, which the types leave out.
    Object.assign(metric, { get: read, getForPromString: read });
    this.#families.set(name, series);
    return series;
  }

  #cells(options: FamilyOptions, Metric: typeof Counter | typeof Gauge): Family<Cell> {
    const known = this.#families.get(options.name);
    if (known !== undefined) return known as Family<Cell>;
    const series = new SeriesMap<Cell>(() => ({ value: 0 }));
    const { name, help, labels } = options;
    const metric = new Metric({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      collect: () => {
        metric.reset();
        for (const { labels: values, cell } of series.all())
          metric.inc(labelObject(labels, values), cell.value);
      },
    });
    this.#families.set(name, series);
    return series;
  }
}

class SeriesMap<T> implements Family<T> {
  readonly #series = new Map<string, SeriesOf<T>>();
  readonly #create: () => T;

  constructor(create: () => T) {
    this.#create = create;
  }

  of(...labels: readonly string[]): T {
    const key = labels.join('\u0000');
    const known = this.#series.get(key);
    if (known !== undefined) return known.cell;
    const cell = this.#create();
    this.#series.set(key, { labels, cell });
    return cell;
  }

  all(): SeriesOf<T>[] {
    return [...this.#series.values()];
  }
}

class HistogramSeries implements HistogramCell {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    for (let index = 0; index < this.#bounds.length; index += 1)
      if (value <= (this.#bounds[index] as number)) {
        this.#counts[index] = (this.#counts[index] as number) + 1;
        return;
      }
  }

  valuesAs(
    name: string,
    labels: Record<string, string>,
  ): { metricName: string; labels: Record<string, string | number>; value: number }[] {
    let below = 0;
    const buckets = this.#bounds.map((bound, index) => {
      below += this.#counts[index] ?? 0;
      return { metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: this.#count },
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: this.#count },
    ];
  }
}

function labelObject(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}

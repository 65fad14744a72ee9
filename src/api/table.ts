import { age } from './human-duration.ts';
import type { KubeObject } from './types/meta.ts';

export interface TableContext {
  /** Milliseconds since the epoch, for ages. */
  readonly nowMs: number;
}

export type Cell = string | number | boolean;

/** A column of `kubectl get`. Priority 1 shows with `-o wide` only. */
export interface TableColumn<T extends KubeObject> {
  readonly name: string;
  readonly type?: 'string' | 'integer' | 'boolean';
  readonly format?: 'name';
  readonly priority?: 0 | 1;
  readonly description: string;
  cell(object: T, context: TableContext): Cell;
}

export const nameColumn: TableColumn<KubeObject> = {
  name: 'Name',
  format: 'name',
  description: 'Unique within its namespace.',
  cell: (object) => object.metadata.name ?? '',
};

export const ageColumn: TableColumn<KubeObject> = {
  name: 'Age',
  description: 'Time since creation.',
  cell: (object, { nowMs }) => age(object.metadata.creationTimestamp, nowMs),
};

/** The first `max` of a list, and how many more there are. */
export function abbreviate(items: readonly string[], max: number): string {
  const shown = items.slice(0, max).join(',');
  return items.length > max ? `${shown} + ${items.length - max} more...` : shown;
}

export function orNone(text: string | undefined): string {
  return text === undefined || text === '' ? '<none>' : text;
}

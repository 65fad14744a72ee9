import type { BenchResult } from './result.ts';

/** results.json. Infinity, which JSON lacks, is written as scenarios write it. */
export function toJson(result: BenchResult): string {
  const replace = (_key: string, value: unknown): unknown =>
    value === Infinity ? 'unlimited' : typeof value === 'number' ? shorter(value) : value;
  return `${JSON.stringify(result, replace)}\n`;
}

/** Nine digits are more than any of these figures have, and keep the file readable. */
function shorter(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(9));
}

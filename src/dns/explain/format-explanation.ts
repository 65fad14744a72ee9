import { formatRecord } from '../message/record-text.ts';
import type { ExplainedQuery, Explanation } from './explain.ts';
import { formatStep } from './format-query.ts';

/** An explanation for people: each name of the walk, each query, why, and what it cost. */
export function formatExplanation(explanation: Explanation): string {
  const lines: string[] = [];
  for (const [index, name] of explanation.names.entries()) {
    const how = name.searchDomain === undefined ? 'as given' : `search domain ${name.searchDomain}`;
    lines.push(`${index + 1}. ${name.name} (${how})`);
    for (const query of name.queries) lines.push(...queryLines(query));
  }
  lines.push('', summaryOf(explanation));
  return lines.join('\n');
}

function queryLines(query: ExplainedQuery): string[] {
  const by = query.plugin === '' ? '' : ` by ${query.plugin}`;
  return [
    `   ${query.type.padEnd(5)} ${query.result}${by}${query.fromCache ? ' (from the cache)' : ''}`,
    ...query.steps.map((step) => `         ${formatStep(step)}`),
    ...query.answers.map((answer) => `         ${formatRecord(answer)}`),
  ];
}

function summaryOf({ asked, found, queries, wasted, ndots }: Explanation): string {
  const cost = `${queries} ${queries === 1 ? 'query' : 'queries'}`;
  if (found === undefined) return `${asked}: not found after ${cost}.`;
  if (wasted === 0) return `${asked}: found as ${found} with ${cost}.`;
  const isAbsolute = found === `${asked}.`;
  const advice = isAbsolute
    ? ` ndots:${ndots} makes the search list come first: "${found}" with a trailing dot, or a lower ndots, saves them.`
    : ` Naming ${found} in full, with the trailing dot, saves them.`;
  return `${asked}: found as ${found} with ${cost}, ${wasted} of them for nothing.${advice}`;
}

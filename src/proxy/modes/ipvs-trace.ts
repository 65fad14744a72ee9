import type { Trace } from '../flow.ts';
import type { DecisionStep } from '../ipvs/decision-trace.ts';

/** Tells a director's steps one by one. */
export function traceIpvsSteps(steps: readonly DecisionStep[], trace: Trace): void {
  for (const { kind, ...details } of steps) {
    const known = Object.entries(details).filter(([, value]) => value !== undefined);
    trace.step(TEXTS[kind], Object.fromEntries(known));
  }
}

const TEXTS: Readonly<Record<DecisionStep['kind'], string>> = {
  service: 'virtual server',
  'no-service': 'no virtual server',
  connection: 'connection entry',
  template: 'persistence template',
  hash: 'hash',
  candidate: 'real server compared',
  chosen: 'real server chosen',
  none: 'no real server',
};

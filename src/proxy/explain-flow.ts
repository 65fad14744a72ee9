import type { Decision, Flow, Trace } from './flow.ts';
import type { ProxyMode, ReachableEndpoint } from './proxy-mode.ts';

export interface ExplainedStep {
  readonly text: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Where a flow may go and why, as `podwire explain flow -o json` prints it. */
export interface FlowExplanation {
  readonly verdict: Decision['kind'];
  /** Why it goes nowhere; absent for `forward`. */
  readonly reason?: string;
  readonly endpoints: readonly ReachableEndpoint[];
  readonly steps: readonly ExplainedStep[];
}

/** Asks a mode, live or made for the purpose, without making a connection. */
export function explainFlow(mode: ProxyMode, flow: Flow): FlowExplanation {
  const steps: ExplainedStep[] = [];
  const trace: Trace = {
    step: (text, details) => steps.push(details === undefined ? { text } : { text, details }),
  };
  const { verdict, reason, endpoints } = mode.reach(flow, trace);
  return { verdict, ...(reason === '' ? {} : { reason }), endpoints, steps };
}

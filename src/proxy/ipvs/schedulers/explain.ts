import type { DecisionTrace } from '../decision-trace.ts';
import type { Destination } from '../destination.ts';

type Load = (destination: Destination) => number;

/** Notes what a walk over the list compared, and its outcome. Called only when somebody asked. */
export function explainWalk(
  trace: DecisionTrace,
  destinations: Iterable<Destination>,
  chosen: Destination | undefined,
  reason: string,
  load?: Load,
): void {
  explainCandidates(trace, destinations, load);
  explainChoice(trace, chosen, reason);
}

/** Notes every destination with what is compared of it. */
export function explainCandidates(
  trace: DecisionTrace,
  destinations: Iterable<Destination>,
  load?: Load,
): void {
  for (const destination of destinations)
    trace.push({
      kind: 'candidate',
      destination: destination.name,
      weight: destination.weight,
      activeConnections: destination.activeConnections,
      inactiveConnections: destination.inactiveConnections,
      load: load?.(destination),
      usable: destination.usable,
    });
}

/** Notes the outcome, without the destinations it was chosen from. */
export function explainChoice(
  trace: DecisionTrace,
  chosen: Destination | undefined,
  reason: string,
): void {
  if (chosen === undefined) trace.push({ kind: 'none', reason: 'no destination can be used' });
  else trace.push({ kind: 'chosen', destination: chosen.name, reason });
}

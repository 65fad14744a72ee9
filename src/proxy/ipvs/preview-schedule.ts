import type { DecisionTrace } from './decision-trace.ts';
import { explainCandidates } from './schedulers/explain.ts';
import type { SchedulerName } from './schedulers/registry.ts';
import type { SchedulerPacket } from './schedulers/scheduler.ts';
import type { VirtualService } from './virtual-service.ts';

/** Schedulers that remember nothing of their choices: asking them changes nothing. */
const FORGETFUL: ReadonlySet<SchedulerName> = new Set([
  'lc',
  'wlc',
  'sed',
  'nq',
  'fo',
  'ovf',
  'dh',
  'sh',
  'mh',
]);

/**
 * What a service's scheduler would look at for this packet now: its choice too where asking leaves no trace in it, else
 * the destinations in list order with their counters. Nothing is counted and no entry made.
 */
export function previewSchedule(service: VirtualService, packet: SchedulerPacket): DecisionTrace {
  const steps: DecisionTrace = [];
  if (FORGETFUL.has(service.settings.scheduler)) service.scheduler.schedule(packet, steps);
  else explainCandidates(steps, service.destinations);
  return steps;
}

import { destinationHashing } from './dh.ts';
import { weightedFailover } from './fo.ts';
import { LocalityLeastConnection } from './lblc.ts';
import { ReplicatedLocalityLeastConnection } from './lblcr.ts';
import { leastConnection } from './lc.ts';
import { MaglevHashing } from './mh.ts';
import { neverQueue } from './nq.ts';
import { weightedOverflow } from './ovf.ts';
import { roundRobin } from './rr.ts';
import type { SchedulerFactory } from './scheduler.ts';
import { shortestExpectedDelay } from './sed.ts';
import { SourceHashing } from './sh.ts';
import { powerOfTwo } from './twos.ts';
import { weightedLeastConnection } from './wlc.ts';
import { WeightedRoundRobin } from './wrr.ts';

export type SchedulerName =
  | 'rr'
  | 'wrr'
  | 'lc'
  | 'wlc'
  | 'lblc'
  | 'lblcr'
  | 'dh'
  | 'sh'
  | 'mh'
  | 'sed'
  | 'nq'
  | 'fo'
  | 'ovf'
  | 'twos';

/** Every scheduler, under the name ipvsadm and kube-proxy's `--ipvs-scheduler` use. */
export const schedulers: Readonly<Record<SchedulerName, SchedulerFactory>> = {
  rr: roundRobin,
  wrr: (service) => new WeightedRoundRobin(service),
  lc: leastConnection,
  wlc: weightedLeastConnection,
  lblc: (service, context) => new LocalityLeastConnection(service, context),
  lblcr: (service, context) => new ReplicatedLocalityLeastConnection(service, context),
  dh: destinationHashing,
  sh: (service) => new SourceHashing(service),
  mh: (service) => new MaglevHashing(service),
  sed: shortestExpectedDelay,
  nq: neverQueue,
  fo: weightedFailover,
  ovf: weightedOverflow,
  twos: powerOfTwo,
};

export function isSchedulerName(name: string): name is SchedulerName {
  return Object.hasOwn(schedulers, name);
}

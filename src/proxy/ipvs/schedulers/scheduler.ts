import type { Random } from '../../../base/random.ts';
import type { SocketAddress } from '../../flow.ts';
import type { DecisionTrace } from '../decision-trace.ts';
import type { Destination } from '../destination.ts';
import type { KernelBehaviour } from '../kernel.ts';
import type { IpvsSysctls } from '../sysctls.ts';
import type { TimerHeap } from '../timer-heap.ts';

/** What a scheduler may look at of a packet that needs a destination. Addresses are canonical text. */
export interface SchedulerPacket {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** `-b sh-port,sh-fallback` or `mh-port,mh-fallback`: the same two bits of the service for sh and mh. */
export interface SchedulerFlags {
  /** IP_VS_SVC_F_SCHED1, 0x08: look for another one when the hashed destination is not usable. */
  readonly fallback: boolean;
  /** IP_VS_SVC_F_SCHED2, 0x10: hash the source port too. */
  readonly port: boolean;
}

/** The service as its scheduler sees it; both members change under it. */
export interface SchedulerService {
  /** In the kernel's list order: the newest first. */
  readonly destinations: readonly Destination[];
  /** Read at each decision, so that an edit acts at once. */
  readonly schedulerFlags: SchedulerFlags;
}

/** What the director lends its schedulers. */
export interface SchedulerContext {
  readonly random: Random;
  readonly kernel: KernelBehaviour;
  readonly sysctls: Readonly<IpvsSysctls>;
  readonly timers: TimerHeap;
  /** Monotonic milliseconds. */
  now(): number;
}

/**
 * Chooses a destination for a new connection (struct ip_vs_scheduler). The hooks run after the list or
 * the destination has changed; a removed destination's `position` is still the index it had.
 */
export interface Scheduler {
  /** Undefined: nobody, and the client is refused. Must not keep `packet`. */
  schedule(packet: SchedulerPacket, trace?: DecisionTrace): Destination | undefined;
  addDest?(destination: Destination): void;
  updateDest?(destination: Destination): void;
  removeDest?(destination: Destination): void;
  /** The service is gone or got another scheduler. */
  close?(): void;
}

export type SchedulerFactory = (service: SchedulerService, context: SchedulerContext) => Scheduler;

import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { LbPoolConfig } from '../../ipam/lb-pool.ts';
import type { Client } from '../client/client.ts';
import type { NodeIpamConfig } from './node-ipam.ts';
import type { NodeLifecycleConfig } from './node-lifecycle-config.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { Informers } from '../client/informers.ts';
import { WriteTracker } from './write-tracker.ts';

/** What every controller is given. */
export interface ControllerContext {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly nodeLifecycle: NodeLifecycleConfig;
  /** Absent: nodes bring their podCIDRs with them. */
  readonly nodeIpam: NodeIpamConfig | undefined;
  /** Where LoadBalancer Services get their addresses. */
  readonly loadBalancerPools: readonly LbPoolConfig[];
  /** namespaces/finalize: the namespace is empty. */
  readonly finalizeNamespace: (name: string) => Promise<void>;
}

/** A controller's own client and event source. */
export interface ControllerTools {
  readonly client: Client;
  readonly writes: WriteTracker;
  readonly events: EventRecorder;
}

export function controllerTools(context: ControllerContext, component: string): ControllerTools {
  const { client, informers, clock, logger } = context;
  const writes = new WriteTracker(client, (resource, version) =>
    informers.caughtUp(resource, version),
  );
  return {
    client: writes.client,
    writes,
    events: new EventRecorder({ component, client, clock, logger }),
  };
}

/** `namespace/name`, the usual key of a namespaced object. */
export function objectKey(object: {
  readonly metadata: { readonly namespace?: string; readonly name?: string };
}): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name ?? ''}`;
}

export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const at = key.indexOf('/');
  return { namespace: key.slice(0, at), name: key.slice(at + 1) };
}

import type { SocketAddress } from '../flow.ts';
import type { Connection, ConnectionProtocol, ConnectionState } from './connection.ts';
import type { Destination } from './destination.ts';
import type { KernelBehaviour } from './kernel.ts';
import type { SchedulerName } from './schedulers/registry.ts';
import type { SchedulerFlags } from './schedulers/scheduler.ts';
import type { Traffic } from './traffic.ts';
import type { Persistence, ServiceId, VirtualService } from './virtual-service.ts';

/** One line of `ipvsadm -L` with the lines below it, as data. */
export interface ServiceListing {
  readonly id: ServiceId;
  readonly scheduler: SchedulerName;
  readonly schedulerFlags: SchedulerFlags;
  readonly persistence: Persistence | undefined;
  readonly onePacket: boolean;
  readonly traffic: Readonly<Traffic>;
  /** The same a second. */
  readonly rates: Readonly<Traffic>;
  /** In the kernel's order: the newest first. */
  readonly destinations: readonly DestinationListing[];
}

export interface DestinationListing {
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly persistentConnections: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly overloaded: boolean;
  readonly traffic: Readonly<Traffic>;
  /** The same a second. */
  readonly rates: Readonly<Traffic>;
}

/** One line of `ipvsadm -L -c`. A template has client port 0; an invalid one port 65535. */
export interface ConnectionListing {
  readonly protocol: ConnectionProtocol;
  readonly client: SocketAddress;
  readonly virtual: SocketAddress;
  readonly destination: SocketAddress;
  readonly state: ConnectionState;
  readonly expiresInMs: number;
  readonly template: boolean;
}

/** What the kernel writes over the ports of a dead template. */
const DEAD_PORT = 65_535;

export function listService(service: VirtualService, nowMs: number): ServiceListing {
  const { scheduler, persistence, onePacket } = service.settings;
  return {
    id: service.id,
    scheduler,
    schedulerFlags: service.schedulerFlags,
    persistence,
    onePacket: onePacket ?? false,
    traffic: service.traffic.totals(),
    rates: service.traffic.rates(nowMs),
    destinations: service.destinations.map((one) => listDestination(one, nowMs)),
  };
}

function listDestination(destination: Destination, nowMs: number): DestinationListing {
  return {
    address: destination.address,
    port: destination.port,
    weight: destination.weight,
    activeConnections: destination.activeConnections,
    inactiveConnections: destination.inactiveConnections,
    persistentConnections: destination.persistentConnections,
    upperThreshold: destination.upperThreshold,
    lowerThreshold: destination.lowerThreshold,
    overloaded: destination.overloaded,
    traffic: destination.traffic.totals(),
    rates: destination.traffic.rates(nowMs),
  };
}

export function listConnection(
  connection: Connection,
  nowMs: number,
  kernel: KernelBehaviour,
): ConnectionListing {
  const { protocol, client, virtual, destination, state, template, invalid } = connection;
  const virtualDies = invalid && kernel.deadTemplatePorts === 'virtual-and-destination';
  return {
    protocol,
    client,
    virtual: virtualDies ? { address: virtual.address, port: DEAD_PORT } : virtual,
    destination: {
      address: destination.address,
      port: invalid ? DEAD_PORT : connection.destinationPort,
    },
    state,
    expiresInMs: connection.expiresAtMs - nowMs,
    template,
  };
}

import { formatHostPort, type IpFamily } from '../../base/ip.ts';
import type { Destination } from './destination.ts';
import { type SchedulerName, schedulers } from './schedulers/registry.ts';
import type {
  Scheduler,
  SchedulerContext,
  SchedulerFlags,
  SchedulerService,
} from './schedulers/scheduler.ts';
import { TrafficMeter } from './traffic.ts';

/** Names a virtual service: by address, protocol and port (0: every port), or by firewall mark. */
export type ServiceId =
  | {
      readonly kind: 'address';
      readonly protocol: 'TCP' | 'UDP';
      readonly address: string;
      readonly port: number;
    }
  | { readonly kind: 'fwmark'; readonly fwmark: number; readonly family: IpFamily };

export interface Persistence {
  readonly timeoutMs: number;
  /**
   * Clients that are equal under it share a template. IPv4: the mask as a number, 0xffffffff for one
   * client each; IPv6: the prefix length, 128.
   */
  readonly netmask: number;
}

export interface ServiceSettings {
  readonly scheduler: SchedulerName;
  readonly schedulerFlags?: SchedulerFlags;
  readonly persistence?: Persistence;
  /** UDP: every datagram is scheduled anew. */
  readonly onePacket?: boolean;
}

const NO_FLAGS: SchedulerFlags = { fallback: false, port: false };

/** A virtual service with its destinations in the kernel's order and its scheduler's state. */
export class VirtualService implements SchedulerService {
  readonly id: ServiceId;
  /** As in {@link serviceKey}. */
  readonly key: string;
  /** What the service's own port is compared with; 0 for every port and for fwmark services. */
  readonly port: number;
  readonly traffic: TrafficMeter = new TrafficMeter();
  readonly #context: SchedulerContext;
  readonly #destinations: Destination[] = [];
  #settings: ServiceSettings;
  #flags: SchedulerFlags;
  #scheduler: Scheduler;

  constructor(id: ServiceId, settings: ServiceSettings, context: SchedulerContext) {
    this.id = id;
    this.key = serviceKey(id);
    this.port = id.kind === 'address' ? id.port : 0;
    this.#context = context;
    this.#settings = settings;
    this.#flags = settings.schedulerFlags ?? NO_FLAGS;
    this.#scheduler = schedulers[settings.scheduler](this, context);
  }

  get settings(): ServiceSettings {
    return this.#settings;
  }

  get schedulerFlags(): SchedulerFlags {
    return this.#flags;
  }

  /** The newest first. */
  get destinations(): readonly Destination[] {
    return this.#destinations;
  }

  get scheduler(): Scheduler {
    return this.#scheduler;
  }

  find(address: string, port: number): Destination | undefined {
    return this.#destinations.find((one) => one.port === port && one.address === address);
  }

  /** Another scheduler starts afresh from the list; the same one keeps its state. */
  edit(settings: ServiceSettings): void {
    const replaced = settings.scheduler !== this.#settings.scheduler;
    this.#settings = settings;
    this.#flags = settings.schedulerFlags ?? NO_FLAGS;
    if (!replaced) return;
    this.#scheduler.close?.();
    this.#scheduler = schedulers[settings.scheduler](this, this.#context);
  }

  /** A new destination goes to the head of the list. */
  link(destination: Destination): void {
    destination.available = true;
    this.#destinations.unshift(destination);
    this.#renumber();
    this.#scheduler.addDest?.(destination);
  }

  updated(destination: Destination): void {
    this.#scheduler.updateDest?.(destination);
  }

  unlink(destination: Destination): void {
    destination.available = false;
    this.#destinations.splice(destination.position, 1);
    this.#renumber();
    this.#scheduler.removeDest?.(destination);
  }

  close(): void {
    this.#scheduler.close?.();
  }

  #renumber(): void {
    for (const [position, destination] of this.#destinations.entries())
      destination.position = position;
  }
}

/** `TCP 10.96.0.1:80` or `FWM 1 IPv4`. */
export function serviceKey(id: ServiceId): string {
  return id.kind === 'fwmark'
    ? `FWM ${id.fwmark} ${id.family}`
    : addressServiceKey(id.protocol, id.address, id.port);
}

export function addressServiceKey(protocol: 'TCP' | 'UDP', address: string, port: number): string {
  return `${protocol} ${formatHostPort(address, port)}`;
}

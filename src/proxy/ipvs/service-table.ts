import { formatIp, parseIp } from '../../base/ip.ts';
import { Destination, type DestinationSettings } from './destination.ts';
import type { DestinationTrash } from './destination-trash.ts';
import { isSchedulerName } from './schedulers/registry.ts';
import type { SchedulerContext } from './schedulers/scheduler.ts';
import {
  addressServiceKey,
  type ServiceId,
  type ServiceSettings,
  serviceKey,
  VirtualService,
} from './virtual-service.ts';

/** How a control operation went; the errors are the kernel's, `detail` names the value and the remedy. */
export type ControlOutcome =
  | { readonly kind: 'ok' }
  | { readonly kind: 'EEXIST' | 'ENOENT' | 'ESRCH' | 'ERANGE' | 'EINVAL'; readonly detail: string };

export interface DestinationAddress {
  readonly address: string;
  /** 0: connections keep the port the client dialled. */
  readonly port: number;
}

const OK: ControlOutcome = { kind: 'ok' };
const FTP_PORT = 21;
const FTP_DATA_PORT = 20;
const FIRST_UNPRIVILEGED_PORT = 1024;
const MAX_WEIGHT = 0x7fff_ffff;

/** Virtual services and the operations of ipvsadm on them. */
export class ServiceTable {
  readonly #services = new Map<string, VirtualService>();
  readonly #context: SchedulerContext;
  readonly #trash: DestinationTrash;
  readonly #onDestinationRemoved: () => void;
  #everyPortServices = 0;
  #ftpServices = 0;
  #fwmarkServices = 0;

  constructor(
    context: SchedulerContext,
    trash: DestinationTrash,
    onDestinationRemoved: () => void,
  ) {
    this.#context = context;
    this.#trash = trash;
    this.#onDestinationRemoved = onDestinationRemoved;
  }

  values(): IterableIterator<VirtualService> {
    return this.#services.values();
  }

  get(id: ServiceId): VirtualService | undefined {
    return this.#services.get(serviceKey(canonicalId(id) ?? id));
  }

  /** By firewall mark, then exactly, then as data of an FTP service, then a service of every port. */
  lookup(
    protocol: 'TCP' | 'UDP',
    address: string,
    port: number,
    fwmark: number,
  ): VirtualService | undefined {
    if (fwmark !== 0 && this.#fwmarkServices > 0) {
      const family = address.includes(':') ? 'IPv6' : 'IPv4';
      const marked = this.#services.get(serviceKey({ kind: 'fwmark', fwmark, family }));
      if (marked !== undefined) return marked;
    }
    const exact = this.#services.get(addressServiceKey(protocol, address, port));
    if (exact !== undefined) return exact;
    const mayBeFtpData = port === FTP_DATA_PORT || port >= FIRST_UNPRIVILEGED_PORT;
    if (this.#ftpServices > 0 && protocol === 'TCP' && mayBeFtpData) {
      const ftp = this.#services.get(addressServiceKey(protocol, address, FTP_PORT));
      if (ftp !== undefined) return ftp;
    }
    if (this.#everyPortServices === 0) return undefined;
    return this.#services.get(addressServiceKey(protocol, address, 0));
  }

  addService(id: ServiceId, settings: ServiceSettings): ControlOutcome {
    const canonical = canonicalId(id);
    if (canonical === undefined) return invalidService(id);
    const problem = settingsProblem(settings);
    if (problem !== undefined) return problem;
    const key = serviceKey(canonical);
    if (this.#services.has(key))
      return { kind: 'EEXIST', detail: `service ${key} exists; edit it instead` };
    this.#services.set(key, new VirtualService(canonical, settings, this.#context));
    this.#count(canonical, 1);
    return OK;
  }

  /** Replaces all settings: what is not named is switched off. */
  editService(id: ServiceId, settings: ServiceSettings): ControlOutcome {
    const service = this.get(id);
    if (service === undefined) return noService(id);
    const problem = settingsProblem(settings);
    if (problem !== undefined) return problem;
    service.edit(settings);
    return OK;
  }

  deleteService(id: ServiceId): ControlOutcome {
    const service = this.get(id);
    if (service === undefined) return noService(id);
    this.#services.delete(service.key);
    this.#count(service.id, -1);
    service.close();
    for (const destination of service.destinations) {
      destination.available = false;
      this.#trash.put(service.key, destination);
    }
    if (service.destinations.length > 0) this.#onDestinationRemoved();
    return OK;
  }

  addDestination(
    id: ServiceId,
    where: DestinationAddress,
    settings: DestinationSettings,
  ): ControlOutcome {
    const service = this.get(id);
    if (service === undefined) return noService(id);
    const problem = destinationProblem(settings);
    if (problem !== undefined) return problem;
    const address = canonicalAddress(where.address);
    if (address === undefined || !isPort(where.port))
      return { kind: 'EINVAL', detail: `${where.address}:${where.port} is no IP address and port` };
    if (service.find(address, where.port) !== undefined)
      return { kind: 'EEXIST', detail: `${service.key} has ${address}:${where.port}; edit it` };
    const destination =
      this.#trash.take(service.key, address, where.port) ?? new Destination(address, where.port);
    destination.configure(settings, true, this.#context.kernel);
    service.link(destination);
    return OK;
  }

  editDestination(
    id: ServiceId,
    where: DestinationAddress,
    settings: DestinationSettings,
  ): ControlOutcome {
    const service = this.get(id);
    if (service === undefined) return noService(id);
    const problem = destinationProblem(settings);
    if (problem !== undefined) return problem;
    const destination = findDestination(service, where);
    if (destination === undefined) return noDestination(service, where);
    destination.configure(settings, false, this.#context.kernel);
    service.updated(destination);
    return OK;
  }

  deleteDestination(id: ServiceId, where: DestinationAddress): ControlOutcome {
    const service = this.get(id);
    if (service === undefined) return noService(id);
    const destination = findDestination(service, where);
    if (destination === undefined) return noDestination(service, where);
    service.unlink(destination);
    this.#trash.put(service.key, destination);
    this.#onDestinationRemoved();
    return OK;
  }

  close(): void {
    for (const service of this.#services.values()) service.close();
    this.#services.clear();
  }

  #count(id: ServiceId, by: 1 | -1): void {
    if (id.kind === 'fwmark') this.#fwmarkServices += by;
    else if (id.port === 0) this.#everyPortServices += by;
    else if (id.port === FTP_PORT) this.#ftpServices += by;
  }
}

function settingsProblem({ scheduler, persistence }: ServiceSettings): ControlOutcome | undefined {
  // The name often comes from a flag or an annotation.
  if (!isSchedulerName(scheduler))
    return {
      kind: 'ENOENT',
      detail: `scheduler ${String(scheduler)} is unknown; use rr, lc, mh …`,
    };
  if (persistence !== undefined && !(persistence.timeoutMs > 0))
    return { kind: 'EINVAL', detail: 'persistence.timeoutMs must be above 0' };
  return undefined;
}

function destinationProblem(settings: DestinationSettings): ControlOutcome | undefined {
  const { weight, upperThreshold = 0, lowerThreshold = 0 } = settings;
  if (!Number.isInteger(weight) || weight < 0 || weight > MAX_WEIGHT)
    return { kind: 'ERANGE', detail: `weight ${weight} must be a whole number, 0 or more` };
  if (lowerThreshold > upperThreshold)
    return {
      kind: 'ERANGE',
      detail: `lowerThreshold ${lowerThreshold} must not exceed upperThreshold ${upperThreshold}`,
    };
  return undefined;
}

function findDestination(
  service: VirtualService,
  where: DestinationAddress,
): Destination | undefined {
  return service.find(canonicalAddress(where.address) ?? where.address, where.port);
}

function noService(id: ServiceId): ControlOutcome {
  return { kind: 'ESRCH', detail: `service ${serviceKey(id)} does not exist; add it first` };
}

function invalidService(id: ServiceId): ControlOutcome {
  return { kind: 'EINVAL', detail: `${serviceKey(id)} is no IP address and port, or mark above 0` };
}

function noDestination(service: VirtualService, where: DestinationAddress): ControlOutcome {
  return {
    kind: 'ENOENT',
    detail: `${service.key} has no destination ${where.address}:${where.port}; add it first`,
  };
}

function canonicalId(id: ServiceId): ServiceId | undefined {
  if (id.kind === 'fwmark') return id.fwmark > 0 ? id : undefined;
  const address = canonicalAddress(id.address);
  return address === undefined || !isPort(id.port) ? undefined : { ...id, address };
}

function canonicalAddress(text: string): string | undefined {
  const ip = parseIp(text);
  return ip === undefined ? undefined : formatIp(ip);
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65_535;
}

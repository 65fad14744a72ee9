import { type Random, shuffle } from '../../base/random.ts';
import type { Endpoint } from '../../services/endpoint.ts';
import type { Frontend, ServicePort } from '../../services/routing-table.ts';
import type { Ipvs } from '../ipvs/ipvs.ts';
import type { ServiceId, ServiceSettings } from '../ipvs/virtual-service.ts';
import type { GracefulTermination } from './graceful-termination.ts';
import { ipvsScope } from './ipvs-route.ts';
import { type IpvsSchedulerSetting, parseIpvsScheduler } from './ipvs-scheduler-setting.ts';

const IPV4_HOST_MASK = 0xffff_ffff;
const IPV6_HOST_PREFIX = 128;

export interface VirtualServersOptions {
  readonly ipvs: Ipvs;
  readonly graceful: GracefulTermination;
  readonly random: Random;
  readonly scheduler: IpvsSchedulerSetting;
  /** Where node ports are served. */
  readonly nodePortAddresses: (family: 'IPv4' | 'IPv6') => readonly string[];
}

/**
 * Keeps the director's virtual and real servers as the frontends want them: one virtual server for each
 * address, port and protocol (syncService and syncEndpoint of pkg/proxy/ipvs).
 */
export class VirtualServers {
  readonly #options: VirtualServersOptions;

  constructor(options: VirtualServersOptions) {
    this.#options = options;
  }

  /** Goes from one state of an address and port to the next; undefined: nobody is reached there. */
  sync(before: Frontend | undefined, after: Frontend | undefined): void {
    if (before !== undefined && after === undefined)
      for (const id of this.#ids(before)) {
        this.#options.ipvs.deleteService(id);
        this.#options.graceful.forget(id);
      }
    if (after !== undefined) for (const id of this.#ids(after)) this.#ensure(id, after);
  }

  #ids({ address, protocol, port, family }: Frontend): ServiceId[] {
    // The director speaks TCP and UDP.
    if (protocol === 'SCTP') return [];
    const addresses = address === undefined ? this.#options.nodePortAddresses(family) : [address];
    return addresses.map((one) => ({ kind: 'address', protocol, address: one, port }));
  }

  #ensure(id: ServiceId, frontend: Frontend): void {
    const { ipvs } = this.#options;
    const settings = this.#settings(frontend.servicePort);
    const known = ipvs.service(id);
    if (known === undefined) ipvs.addService(id, settings);
    else if (!sameSettings(known.settings, settings)) ipvs.editService(id, settings);
    this.#syncDestinations(id, frontend.servicePort.categories[ipvsScope(frontend)]);
  }

  #settings({ info }: ServicePort): ServiceSettings {
    const parsed = info.ipvsScheduler === '' ? undefined : parseIpvsScheduler(info.ipvsScheduler);
    const { scheduler, flags } = parsed?.kind === 'ok' ? parsed.setting : this.#options.scheduler;
    const timeoutMs = info.affinityTimeoutSeconds * 1000;
    const netmask = info.family === 'IPv4' ? IPV4_HOST_MASK : IPV6_HOST_PREFIX;
    return {
      scheduler,
      schedulerFlags: flags,
      ...(timeoutMs === 0 ? {} : { persistence: { timeoutMs, netmask } }),
    };
  }

  /** kube-proxy walks an unordered set, so the list order within one sync is random. */
  #syncDestinations(id: ServiceId, wanted: readonly Endpoint[]): void {
    const { ipvs, graceful, random } = this.#options;
    const current = new Map(
      (ipvs.service(id)?.destinations ?? []).map((server) => [server.name, server]),
    );
    for (const endpoint of shuffle([...wanted], random)) {
      if (current.has(endpoint.key)) {
        if (!graceful.has(id, endpoint)) continue;
        graceful.recall(id, endpoint);
      }
      ipvs.addDestination(id, endpoint, { weight: 1 });
    }
    const kept = new Set(wanted.map(({ key }) => key));
    for (const [name, server] of current)
      if (!kept.has(name) && !graceful.has(id, server)) graceful.remove(id, server);
  }
}

function sameSettings(a: ServiceSettings, b: ServiceSettings): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.schedulerFlags?.port === b.schedulerFlags?.port &&
    a.schedulerFlags?.fallback === b.schedulerFlags?.fallback &&
    a.persistence?.timeoutMs === b.persistence?.timeoutMs
  );
}

import type { Clock } from '../../../base/clock.ts';
import { Stamps } from '../../plugin/stamps.ts';
import type { Namespace, Pod, Service } from '../../../api/types/core.ts';
import type { EndpointSlice } from '../../../api/types/discovery.ts';
import type { ServiceImport } from '../../source/dns-source.ts';
import { AddressIndex } from './address-index.ts';
import type { KubernetesOptions } from './options.ts';
import {
  sameSlice,
  viewOfService,
  viewOfServiceImport,
  viewOfSlice,
  type ServiceView,
  type SliceView,
} from './service-view.ts';

export const SERIAL_KEY = 'serial';

export interface PodView {
  readonly namespace: string;
  readonly name: string;
  readonly ips: readonly string[];
}

const OWN_LABELS = { service: 'kubernetes.io/service-name' } as const;
const IMPORT_LABELS = {
  service: 'multicluster.kubernetes.io/service-name',
  cluster: 'multicluster.kubernetes.io/source-cluster',
} as const;

type KeyedObject = {
  readonly metadata: { readonly name?: string; readonly namespace?: string };
};

/**
 * The cluster as DNS sees it, indexed for answering. Every change touches only its own entries and bumps
 * the stamps of the names it can alter, so answers elsewhere stay valid.
 */
export class KubernetesView {
  readonly stamps: Stamps = new Stamps();
  readonly services: ServiceTable;
  readonly imports: ServiceTable;
  readonly #options: KubernetesOptions;
  readonly #clock: Clock;
  readonly #namespaces = new Map<string, Readonly<Record<string, string>> | undefined>();
  readonly #pods = new Map<string, PodView>();
  readonly #podsByIp = new AddressIndex<PodView>();
  #serialSeconds = 0;
  #externalSerialSeconds = 0;

  constructor(options: KubernetesOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.services = new ServiceTable(this.stamps, 's/');
    this.imports = new ServiceTable(this.stamps, 'm/');
  }

  /** Unix time of the last change; the SOA serial. */
  get serial(): number {
    return this.#serialSeconds;
  }

  get externalSerial(): number {
    return this.#externalSerialSeconds;
  }

  setService(service: Service): void {
    const view = viewOfService(service);
    if (this.#options.labels?.(service.metadata.labels) === false) {
      this.deleteService(service);
      return;
    }
    const before = this.services.get(view.namespace, view.name);
    this.services.set(view);
    const externalChanged = String(before?.external) !== String(view.external);
    this.#modified(externalChanged);
  }

  deleteService(service: KeyedObject): void {
    const removed = this.services.delete(namespaceOf(service), service.metadata.name ?? '');
    if (removed !== undefined) this.#modified(removed.external.length > 0);
  }

  setServiceImport(imported: ServiceImport): void {
    this.imports.set(viewOfServiceImport(imported));
    this.#modified(false);
  }

  deleteServiceImport(imported: KeyedObject): void {
    if (this.imports.delete(namespaceOf(imported), imported.metadata.name ?? '') !== undefined)
      this.#modified(false);
  }

  setSlice(slice: EndpointSlice): void {
    const key = keyOf(slice);
    const shown = this.#options.labels?.(slice.metadata.labels) !== false;
    const podNames = this.#options.endpointPodNames;
    const own = shown ? viewOfSlice(slice, OWN_LABELS, podNames) : undefined;
    const foreign = viewOfSlice(slice, IMPORT_LABELS, podNames);
    const changed = this.services.setSlice(key, own);
    if (this.imports.setSlice(key, foreign) || changed) this.#modified(false);
  }

  deleteSlice(slice: KeyedObject): void {
    const key = keyOf(slice);
    const changed = this.services.setSlice(key, undefined);
    if (this.imports.setSlice(key, undefined) || changed) this.#modified(false);
  }

  setNamespace(namespace: Namespace): void {
    const name = namespace.metadata.name ?? '';
    this.#namespaces.set(name, namespace.metadata.labels);
    this.stamps.bump(`n/${name}`);
  }

  deleteNamespace(namespace: KeyedObject): void {
    const name = namespace.metadata.name ?? '';
    this.#namespaces.delete(name);
    this.stamps.bump(`n/${name}`);
  }

  setPod(pod: Pod): void {
    this.deletePod(pod);
    // Pods on their way out no longer own their address.
    if (pod.metadata.deletionTimestamp !== undefined) return;
    if (this.#options.labels?.(pod.metadata.labels) === false) return;
    const ips = (pod.status?.podIPs ?? []).map(({ ip }) => ip);
    if (pod.status?.podIP !== undefined && !ips.includes(pod.status.podIP))
      ips.unshift(pod.status.podIP);
    const view: PodView = { namespace: namespaceOf(pod), name: pod.metadata.name ?? '', ips };
    this.#pods.set(keyOf(pod), view);
    for (const ip of ips) {
      this.#podsByIp.add(ip, view);
      this.stamps.bump(`p/${ip}`);
    }
    this.#modified(false);
  }

  deletePod(pod: KeyedObject): void {
    const view = this.#pods.get(keyOf(pod));
    if (view === undefined) return;
    this.#pods.delete(keyOf(pod));
    for (const ip of view.ips) {
      this.#podsByIp.remove(ip, view);
      this.stamps.bump(`p/${ip}`);
    }
    this.#modified(false);
  }

  podsByIp(ip: string): readonly PodView[] {
    return this.#podsByIp.get(ip);
  }

  namespaceExists(namespace: string): boolean {
    if (!this.#namespaces.has(namespace)) return false;
    return this.#options.namespaceLabels?.(this.#namespaces.get(namespace)) !== false;
  }

  /** Those that may be shown. */
  namespaceNames(): string[] {
    return [...this.#namespaces.keys()].filter((name) => this.namespaceExposed(name));
  }

  /** The namespace exists and may be shown. */
  namespaceExposed(namespace: string): boolean {
    if (this.#options.namespaces?.has(namespace) === false) return false;
    return this.namespaceExists(namespace);
  }

  #modified(external: boolean): void {
    const seconds = Math.floor(this.#clock.wallNow() / 1000);
    if (external) this.#externalSerialSeconds = seconds;
    if (seconds !== this.#serialSeconds || external) this.stamps.bump(SERIAL_KEY);
    this.#serialSeconds = seconds;
  }
}

/** Services and the slices that belong to them, by name and by address. */
export class ServiceTable {
  readonly #stamps: Stamps;
  readonly #stampPrefix: string;
  readonly #services = new Map<string, ServiceView>();
  readonly #slices = new Map<string, SliceView>();
  readonly #slicesByService = new Map<string, Map<string, SliceView>>();
  readonly #servicesByIp = new AddressIndex<ServiceView>();
  readonly #slicesByIp = new AddressIndex<SliceView>();

  constructor(stamps: Stamps, stampPrefix: string) {
    this.#stamps = stamps;
    this.#stampPrefix = stampPrefix;
  }

  get(namespace: string, name: string): ServiceView | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }

  /** Sorted by namespace and name, the order of a zone transfer. */
  all(): ServiceView[] {
    return [...this.#services.entries()]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, view]) => view);
  }

  slicesOf(namespace: string, name: string): SliceView[] {
    return [...(this.#slicesByService.get(`${namespace}/${name}`)?.values() ?? [])];
  }

  servicesWithIp(ip: string): readonly ServiceView[] {
    return this.#servicesByIp.get(ip);
  }

  slicesWithIp(ip: string): readonly SliceView[] {
    return this.#slicesByIp.get(ip);
  }

  /** Key of the stamp that changes with the service or its endpoints. */
  stampKey(namespace: string, name: string): string {
    return `${this.#stampPrefix}${namespace}/${name}`;
  }

  set(view: ServiceView): void {
    this.delete(view.namespace, view.name);
    this.#services.set(`${view.namespace}/${view.name}`, view);
    for (const ip of view.clusterIPs) this.#servicesByIp.add(ip, view);
    this.#changed(view.namespace, view.name, view.clusterIPs);
  }

  delete(namespace: string, name: string): ServiceView | undefined {
    const view = this.get(namespace, name);
    if (view === undefined) return undefined;
    this.#services.delete(`${namespace}/${name}`);
    for (const ip of view.clusterIPs) this.#servicesByIp.remove(ip, view);
    this.#changed(namespace, name, view.clusterIPs);
    return view;
  }

  /** Undefined takes the slice away. True when answers may differ now. */
  setSlice(key: string, view: SliceView | undefined): boolean {
    const before = this.#slices.get(key);
    if (before === undefined && view === undefined) return false;
    if (before !== undefined && view !== undefined && sameSlice(before, view)) {
      before.notReady = view.notReady;
      return false;
    }
    if (before !== undefined) this.#removeSlice(key, before);
    if (view !== undefined) this.#addSlice(key, view);
    return true;
  }

  #addSlice(key: string, view: SliceView): void {
    this.#slices.set(key, view);
    const serviceKey = `${view.namespace}/${view.service}`;
    const siblings = this.#slicesByService.get(serviceKey) ?? new Map<string, SliceView>();
    siblings.set(key, view);
    this.#slicesByService.set(serviceKey, siblings);
    const ips = view.addresses.map(({ ip }) => ip);
    for (const ip of ips) this.#slicesByIp.add(ip, view);
    this.#changed(view.namespace, view.service, ips);
  }

  #removeSlice(key: string, view: SliceView): void {
    this.#slices.delete(key);
    const serviceKey = `${view.namespace}/${view.service}`;
    const siblings = this.#slicesByService.get(serviceKey);
    siblings?.delete(key);
    if (siblings?.size === 0) this.#slicesByService.delete(serviceKey);
    const ips = view.addresses.map(({ ip }) => ip);
    for (const ip of ips) this.#slicesByIp.remove(ip, view);
    this.#changed(view.namespace, view.service, ips);
  }

  #changed(namespace: string, name: string, ips: readonly string[]): void {
    this.#stamps.bump(this.stampKey(namespace, name));
    for (const ip of ips) this.#stamps.bump(`${this.#stampPrefix}ip/${ip}`);
  }
}

function namespaceOf(object: KeyedObject): string {
  return object.metadata.namespace ?? 'default';
}

function keyOf(object: KeyedObject): string {
  return `${namespaceOf(object)}/${object.metadata.name ?? ''}`;
}

import type { Service } from '../../../api/types/core.ts';
import type { EndpointSlice, SliceEndpoint } from '../../../api/types/discovery.ts';
import type { ServiceImport } from '../../source/dns-source.ts';

/** What DNS keeps of an object: as little as answers need, since clusters have very many. */

/** Stands for "no port declared": addresses are answered, SRV is not. */
export const NO_PORT = -1;

export interface PortView {
  /** Folded; empty for an unnamed port. */
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

export interface ServiceView {
  readonly namespace: string;
  readonly name: string;
  readonly kind: 'clusterIP' | 'headless' | 'externalName';
  readonly clusterIPs: readonly string[];
  /** Empty unless kind is externalName. */
  readonly externalName: string;
  readonly ports: readonly PortView[];
  /** spec.externalIPs, then addresses and host names the load balancer has. */
  readonly external: readonly string[];
}

export interface AddressView {
  readonly ip: string;
  /** The endpoint's own label below its service. */
  readonly label: string;
  readonly zone: string;
}

export interface SliceView {
  readonly namespace: string;
  readonly service: string;
  readonly addresses: readonly AddressView[];
  /** Endpoints that are not listed because they are not ready. */
  notReady: number;
  readonly ports: readonly PortView[];
  /** Of the cluster the slice came from; empty in the own one. */
  readonly cluster: string;
}

const NO_PORTS: readonly PortView[] = [{ name: '', protocol: '', port: NO_PORT }];

export function viewOfService(service: Service): ServiceView {
  const { spec, metadata, status } = service;
  const clusterIPs = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  const isExternalName = spec.type === 'ExternalName';
  return {
    namespace: metadata.namespace ?? 'default',
    name: metadata.name ?? '',
    kind: isExternalName ? 'externalName' : clusterIPs[0] === 'None' ? 'headless' : 'clusterIP',
    clusterIPs: clusterIPs.filter((ip) => ip !== '' && ip !== 'None'),
    externalName: isExternalName ? (spec.externalName ?? '') : '',
    ports: portsOf(spec.ports),
    external: [
      ...(spec.externalIPs ?? []),
      ...(status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? []),
    ],
  };
}

export function viewOfServiceImport(imported: ServiceImport): ServiceView {
  const { spec, metadata } = imported;
  return {
    namespace: metadata.namespace ?? 'default',
    name: metadata.name ?? '',
    kind: spec.type === 'Headless' ? 'headless' : 'clusterIP',
    clusterIPs: spec.ips ?? [],
    externalName: '',
    ports: portsOf(spec.ports),
    external: [],
  };
}

/** `serviceLabel` names the service a slice belongs to. */
export function viewOfSlice(
  slice: EndpointSlice,
  labels: { readonly service: string; readonly cluster?: string },
  endpointPodNames: boolean,
): SliceView | undefined {
  const service = slice.metadata.labels?.[labels.service];
  if (service === undefined || service === '') return undefined;
  const endpoints = slice.endpoints ?? [];
  const ready = endpoints.filter((endpoint) => endpoint.conditions?.ready !== false);
  return {
    namespace: slice.metadata.namespace ?? 'default',
    service,
    addresses: ready.flatMap((endpoint) => addressesOf(endpoint, endpointPodNames)),
    notReady: endpoints.length - ready.length,
    ports: portsOf(slice.ports),
    cluster: labels.cluster === undefined ? '' : (slice.metadata.labels?.[labels.cluster] ?? ''),
  };
}

/** True when answers cannot tell the two apart. */
export function sameSlice(a: SliceView, b: SliceView): boolean {
  return JSON.stringify({ ...a, notReady: 0 }) === JSON.stringify({ ...b, notReady: 0 });
}

function addressesOf(endpoint: SliceEndpoint, endpointPodNames: boolean): AddressView[] {
  return endpoint.addresses.map((ip) => ({
    ip,
    label: endpointLabel(endpoint, ip, endpointPodNames),
    zone: endpoint.zone ?? '',
  }));
}

/** Hostname; the pod's name if asked for and short enough; else the address with dashes. */
function endpointLabel(endpoint: SliceEndpoint, ip: string, endpointPodNames: boolean): string {
  if (endpoint.hostname !== undefined && endpoint.hostname !== '') return endpoint.hostname;
  const podName = endpoint.targetRef?.name ?? '';
  if (endpointPodNames && podName !== '' && podName.length < 64) return podName;
  const dashed = ip.replaceAll(/[.:]/g, '-');
  // A label that ends in a dash is not a host name.
  return ip.endsWith('::') ? `${dashed}0` : dashed;
}

function portsOf(
  ports: readonly { name?: string; port?: number; protocol?: string }[] | null | undefined,
): readonly PortView[] {
  if (ports === null || ports === undefined || ports.length === 0) return NO_PORTS;
  return ports.map(({ name, port, protocol }) => ({
    name: (name ?? '').toLowerCase(),
    protocol: (protocol ?? 'TCP').toLowerCase(),
    port: port ?? NO_PORT,
  }));
}

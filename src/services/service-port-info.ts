import type {
  IpFamilyName,
  Protocol,
  Service,
  ServicePort,
  ServiceSpec,
} from '../api/types/core.ts';
import { type Cidr, formatIp, parseCidr, parseIp } from '../base/ip.ts';
import type { ServicePortName } from './service-port-name.ts';

/** Services and slices that carry this label belong to another proxy. */
const SERVICE_PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
/** Slices of headless Services, which no proxy reads. */
const HEADLESS_LABEL = 'service.kubernetes.io/headless';
/** podwire's own: the proxy mode of one Service, and its scheduler when that mode is ipvs. */
const PROXY_MODE_ANNOTATION = 'podwire.io/proxy-mode';
const IPVS_SCHEDULER_ANNOTATION = 'podwire.io/ipvs-scheduler';

/** The API's default for `sessionAffinityConfig.clientIP.timeoutSeconds`. */
const DEFAULT_AFFINITY_TIMEOUT_SECONDS = 10_800;

/** One service port in one IP family, as far as a proxy cares (pkg/proxy/serviceport.go). */
export interface ServicePortInfo {
  readonly name: ServicePortName;
  readonly family: IpFamilyName;
  readonly protocol: Protocol;
  /** Canonical text, as every address here. */
  readonly clusterIP: string;
  readonly port: number;
  /** 0: none. */
  readonly nodePort: number;
  readonly externalIPs: readonly string[];
  /** Ingress addresses that the proxy intercepts: `ipMode: Proxy` ones are not among them. */
  readonly loadBalancerVIPs: readonly string[];
  /** Who may reach the VIPs; empty: everybody. */
  readonly loadBalancerSourceRanges: readonly Cidr[];
  /** 0: none. Only with type LoadBalancer and externalTrafficPolicy Local. */
  readonly healthCheckNodePort: number;
  readonly internalPolicyLocal: boolean;
  readonly externalPolicyLocal: boolean;
  /** 0: no session affinity; otherwise ClientIP for so long. */
  readonly affinityTimeoutSeconds: number;
  /** Has a node port, VIPs or external IPs. */
  readonly externallyAccessible: boolean;
  /** True when some traffic may go to any endpoint of the cluster. */
  readonly usesClusterEndpoints: boolean;
  /** True when some traffic may go only to this node's endpoints. */
  readonly usesLocalEndpoints: boolean;
  /** The annotations podwire.io/proxy-mode and podwire.io/ipvs-scheduler, unchecked; empty: none. */
  readonly proxyMode: string;
  readonly ipvsScheduler: string;
}

/** False for objects that the watch of a real kube-proxy filters out by label. */
export function isForThisProxy(labels: Readonly<Record<string, string>> | undefined): boolean {
  return labels === undefined || !(SERVICE_PROXY_NAME_LABEL in labels || HEADLESS_LABEL in labels);
}

/** Every port of a Service in every family it has an address of; none for what a proxy ignores. */
export function servicePortInfos(service: Service): readonly ServicePortInfo[] {
  if (!isForThisProxy(service.metadata.labels) || service.spec.type === 'ExternalName') return [];
  const ports = service.spec.ports ?? [];
  return clusterIPs(service.spec).flatMap(({ family, address }) => {
    const shared = sharedInfo(service, family);
    return ports.map((port) => portInfo(service, port, address, shared));
  });
}

type SharedInfo = ReturnType<typeof sharedInfo>;

function sharedInfo(service: Service, family: IpFamilyName) {
  const { spec } = service;
  const external = hasExternalTraffic(spec);
  const externalPolicyLocal = external && spec.externalTrafficPolicy === 'Local';
  return {
    family,
    externalIPs: addressesOf(spec.externalIPs ?? [], family),
    // Whatever the type: the API server empties the status of a Service that stops being a LoadBalancer.
    loadBalancerVIPs: ingressVIPs(service, family),
    loadBalancerSourceRanges: sourceRanges(spec, family),
    healthCheckNodePort:
      spec.type === 'LoadBalancer' && externalPolicyLocal ? (spec.healthCheckNodePort ?? 0) : 0,
    internalPolicyLocal: spec.internalTrafficPolicy === 'Local',
    externalPolicyLocal,
    affinityTimeoutSeconds: affinityTimeout(spec),
    proxyMode: service.metadata.annotations?.[PROXY_MODE_ANNOTATION] ?? '',
    ipvsScheduler: service.metadata.annotations?.[IPVS_SCHEDULER_ANNOTATION] ?? '',
  };
}

function portInfo(
  service: Service,
  port: ServicePort,
  clusterIP: string,
  shared: SharedInfo,
): ServicePortInfo {
  const protocol = port.protocol ?? 'TCP';
  const nodePort = port.nodePort ?? 0;
  const externallyAccessible =
    nodePort !== 0 || shared.loadBalancerVIPs.length > 0 || shared.externalIPs.length > 0;
  return {
    ...shared,
    name: {
      namespace: service.metadata.namespace ?? 'default',
      name: service.metadata.name ?? '',
      port: port.name ?? '',
      protocol,
    },
    protocol,
    clusterIP,
    port: port.port,
    nodePort,
    externallyAccessible,
    // With externalTrafficPolicy Local, traffic of this node's pods still goes to the whole cluster.
    usesClusterEndpoints: !shared.internalPolicyLocal || externallyAccessible,
    usesLocalEndpoints:
      shared.internalPolicyLocal || (shared.externalPolicyLocal && externallyAccessible),
  };
}

function clusterIPs(spec: ServiceSpec): { family: IpFamilyName; address: string }[] {
  if (spec.clusterIP === undefined || spec.clusterIP === '' || spec.clusterIP === 'None') return [];
  const listed = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP];
  return (['IPv4', 'IPv6'] as const).flatMap((family) => {
    const address = addressesOf(listed, family)[0];
    return address === undefined ? [] : [{ family, address }];
  });
}

/** externalTrafficPolicy means something only for these (pkg/api/v1/service/util.go). */
function hasExternalTraffic(spec: ServiceSpec): boolean {
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') return true;
  return (spec.externalIPs?.length ?? 0) > 0;
}

/** KEP-1860: an ingress address with `ipMode: Proxy` must be reached through the load balancer itself. */
function ingressVIPs(service: Service, family: IpFamilyName): string[] {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const addresses = ingress.flatMap(({ ip, ipMode }) =>
    ip === undefined || ip === '' || ipMode === 'Proxy' ? [] : [ip],
  );
  return addressesOf(addresses, family);
}

function sourceRanges(spec: ServiceSpec, family: IpFamilyName): Cidr[] {
  return (spec.loadBalancerSourceRanges ?? []).flatMap((text) => {
    const cidr = parseCidr(text.trim(), { allowHostBits: true });
    return cidr?.family === family ? [cidr] : [];
  });
}

function affinityTimeout(spec: ServiceSpec): number {
  if (spec.sessionAffinity !== 'ClientIP') return 0;
  return spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_TIMEOUT_SECONDS;
}

function addressesOf(texts: readonly string[], family: IpFamilyName): string[] {
  return texts.flatMap((text) => {
    const ip = parseIp(text) ?? parseIp(withoutLeadingZeros(text));
    return ip?.family === family ? [formatIp(ip)] : [];
  });
}

/** Kubernetes still reads 010.0.0.1 as decimal (e2e "funny ips"). */
function withoutLeadingZeros(text: string): string {
  return text.replaceAll(/(^|\.)0+(?=\d)/g, '$1');
}

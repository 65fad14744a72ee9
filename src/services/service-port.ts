import { categorizeEndpoints, isLocal, type NodeTopology } from './categorize-endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { endpointsKey, type EndpointsByPort } from './endpoint-slice-cache.ts';
import type { Frontend, FrontendKind, HealthCheckNodePort, ServicePort } from './routing-table.ts';
import type { ServicePortInfo } from './service-port-info.ts';
import { formatServicePortName } from './service-port-name.ts';

const NO_ENDPOINTS: readonly Endpoint[] = [];

export function servicePortKey(info: ServicePortInfo): string {
  return `${info.family} ${formatServicePortName(info.name)}/${info.protocol}`;
}

/** Joins a service port with the endpoints that match its name and protocol. */
export function createServicePort(
  info: ServicePortInfo,
  endpoints: EndpointsByPort,
  node: NodeTopology,
): ServicePort {
  const own = endpoints.get(endpointsKey(info.family, info.name.port, info.protocol));
  const frontends: Frontend[] = [];
  const servicePort: ServicePort = {
    key: servicePortKey(info),
    info,
    endpoints: own ?? NO_ENDPOINTS,
    categories: categorizeEndpoints(own ?? NO_ENDPOINTS, info, node),
    frontends,
  };
  const add = (kind: FrontendKind, address: string | undefined, port: number): void => {
    if (frontends.some((known) => known.address === address && known.port === port)) return;
    const { family, protocol } = info;
    frontends.push({ kind, family, address, protocol, port, servicePort });
  };
  add('clusterIP', info.clusterIP, info.port);
  for (const address of info.externalIPs) add('externalIP', address, info.port);
  for (const address of info.loadBalancerVIPs) add('loadBalancer', address, info.port);
  if (info.nodePort !== 0) add('nodePort', undefined, info.nodePort);
  return servicePort;
}

/** The health check of a Service, from all its ports; undefined when it has none. */
export function healthCheckOf(
  infos: readonly ServicePortInfo[],
  endpoints: EndpointsByPort,
  node: NodeTopology,
): HealthCheckNodePort | undefined {
  const checked = infos.find((info) => info.healthCheckNodePort !== 0);
  if (checked === undefined) return undefined;
  const addresses = new Set<string>();
  for (const list of endpoints.values())
    for (const endpoint of list)
      if (endpoint.ready && isLocal(endpoint, node)) addresses.add(endpoint.address);
  const { namespace, name } = checked.name;
  return { namespace, name, port: checked.healthCheckNodePort, localEndpoints: addresses.size };
}

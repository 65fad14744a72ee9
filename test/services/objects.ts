// Services and slices in one line each, for tables of cases.
import type { Service, ServicePort, ServiceSpec } from '../../src/api/types/core.ts';
import {
  type EndpointConditions,
  type EndpointSlice,
  SERVICE_NAME_LABEL,
  type SliceEndpoint,
} from '../../src/api/types/discovery.ts';

export interface ServiceShape extends Partial<ServiceSpec> {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  /** Load balancer ingress addresses. */
  readonly ingress?: readonly (string | { ip: string; ipMode: 'VIP' | 'Proxy' })[];
  readonly port?: number;
}

/** `default/web`, ClusterIP 10.96.0.10, TCP port 80 without a name. */
export function service(shape: ServiceShape = {}): Service {
  const { name, namespace, labels, annotations, ingress, port, ...spec } = shape;
  const ports: ServicePort[] = [{ port: port ?? 80, protocol: 'TCP' }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: name ?? 'web',
      namespace: namespace ?? 'default',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: { type: 'ClusterIP', clusterIP: '10.96.0.10', ports, ...spec },
    ...(ingress === undefined
      ? {}
      : {
          status: {
            loadBalancer: {
              ingress: ingress.map((entry) => (typeof entry === 'string' ? { ip: entry } : entry)),
            },
          },
        }),
  };
}

/** `ready`, `unready`, `terminating` (still serving) or `dead` (terminating, not serving). */
export type State = 'ready' | 'unready' | 'terminating' | 'dead';

const CONDITIONS: Readonly<Record<State, EndpointConditions>> = {
  ready: { ready: true, serving: true, terminating: false },
  unready: { ready: false, serving: false, terminating: false },
  terminating: { ready: false, serving: true, terminating: true },
  dead: { ready: false, serving: false, terminating: true },
};

export function endpoint(
  address: string,
  nodeName?: string,
  state: State = 'ready',
  more: Partial<SliceEndpoint> = {},
): SliceEndpoint {
  return {
    addresses: [address],
    conditions: CONDITIONS[state],
    ...(nodeName === undefined ? {} : { nodeName }),
    ...more,
  };
}

/** A slice of `default/web` for the port without a name, 8080/TCP. */
export function slice(
  endpoints: SliceEndpoint[],
  shape: {
    readonly name?: string;
    readonly service?: string;
    readonly namespace?: string;
    readonly addressType?: EndpointSlice['addressType'];
    readonly ports?: EndpointSlice['ports'];
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  } = {},
): EndpointSlice {
  const owner = shape.service ?? 'web';
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: shape.name ?? `${owner}-1`,
      namespace: shape.namespace ?? 'default',
      labels: { [SERVICE_NAME_LABEL]: owner, ...shape.labels },
      ...(shape.annotations === undefined ? {} : { annotations: shape.annotations }),
    },
    addressType: shape.addressType ?? 'IPv4',
    endpoints,
    ports: shape.ports ?? [{ name: '', port: 8080, protocol: 'TCP' }],
  };
}

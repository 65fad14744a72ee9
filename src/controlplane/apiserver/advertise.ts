import { isApiError } from '../../api/status-errors.ts';
import type { Endpoints } from '../../api/types/core.ts';
import { type EndpointSlice, SERVICE_NAME_LABEL } from '../../api/types/discovery.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { ApiRegistry } from '../registry/api-registry.ts';

const METADATA = { name: 'kubernetes', namespace: 'default' } as const;

/** Where the API server answers, for those inside the cluster. */
export interface AdvertisedAddress {
  readonly ip: string;
  readonly port: number;
}

/**
 * Says in default/kubernetes' Endpoints and EndpointSlice where the API is, as the API server does for
 * itself (pkg/controlplane/reconcilers): no controller keeps them. Whatever an earlier run left is replaced.
 */
export async function advertise(registry: ApiRegistry, at: AdvertisedAddress): Promise<void> {
  await put(registry, 'endpoints', endpoints(at));
  await put(registry, 'endpointslices', endpointSlice(at));
}

async function put(registry: ApiRegistry, resource: string, object: KubeObject): Promise<void> {
  const { name, namespace } = METADATA;
  const objects = registry.resource(resource);
  try {
    await objects.create(object);
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
    await objects.update(name, namespace, () => object);
  }
}

/** The label keeps the mirroring controller from writing a second slice. */
function endpoints({ ip, port }: AdvertisedAddress): Endpoints {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...METADATA, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  };
}

function endpointSlice({ ip, port }: AdvertisedAddress): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...METADATA, labels: { [SERVICE_NAME_LABEL]: 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [ip], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  };
}

import { type Cidr, formatCidr, formatIp } from '../base/ip.ts';
import type { Service } from '../api/types/core.ts';
import type { ServiceCidr } from '../api/types/other.ts';
import type { KubeObject } from '../api/types/meta.ts';
import { formatTimestamp } from '../base/timestamp.ts';
import type { ServiceIpAllocator } from '../ipam/service-ips.ts';
import { isApiError } from '../api/status-errors.ts';
import type { ApiRegistry } from './registry/api-registry.ts';

const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** What every cluster has from the start; what a restart finds is left alone. */
export async function bootstrap(
  registry: ApiRegistry,
  options: {
    readonly serviceIps: ServiceIpAllocator;
    readonly serviceCidr: Cidr;
    readonly apiServerPort: number;
  },
): Promise<void> {
  for (const name of SYSTEM_NAMESPACES)
    await ensure(registry, 'namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    });
  const first = options.serviceIps.first;
  if (first === undefined) return;
  await ensureServiceCidr(registry, formatCidr(options.serviceCidr));
  await ensure(registry, 'services', kubernetesService(formatIp(first), options.apiServerPort));
}

/** The block Service addresses come from (pkg/controlplane/controller/defaultservicecidr). */
async function ensureServiceCidr(registry: ApiRegistry, cidr: string): Promise<void> {
  const name = 'kubernetes';
  await ensure(registry, 'servicecidrs', {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name },
    spec: { cidrs: [cidr] },
  });
  const lastTransitionTime = formatTimestamp(registry.context.clock.wallNow());
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: '',
    message: 'Kubernetes default Service CIDR is ready',
  };
  await registry
    .resource('servicecidrs')
    .update(
      name,
      undefined,
      (current) =>
        isReported(current)
          ? current
          : { ...current, status: { conditions: [{ ...ready, lastTransitionTime }] } },
      { subresource: 'status' },
    );
}

function isReported(block: KubeObject): boolean {
  return ((block as ServiceCidr).status?.conditions ?? []).length > 0;
}

/** The API server as pods see it. Its Endpoints are written by the API server itself. */
function kubernetesService(clusterIP: string, targetPort: number): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort }],
    },
  };
}

async function ensure(registry: ApiRegistry, resource: string, object: unknown): Promise<void> {
  try {
    await registry.resource(resource).create(object);
  } catch (error) {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
}

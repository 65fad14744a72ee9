import type { Service } from '../../api/types/core.ts';
import type { EndpointSlice } from '../../api/types/discovery.ts';
import { buildRoutingTable } from '../../services/routing-state.ts';
import type { RoutingTable } from '../../services/routing-table.ts';
import { SERVICE_ADDRESS, SERVICE_PORT } from '../scenario/network-plan.ts';
import type { BalancerContext, EligibleBackend } from './balancer.ts';

const SERVICE_NAME = 'bench';
const NAMESPACE = 'default';

/** What of a scenario its Service shows. */
export type BenchService = Pick<BalancerContext, 'node' | 'protocol' | 'affinitySeconds'>;

/** The Service of a scenario with these endpoints, as a node's kube-proxy has it. */
export function benchRoutingTable(
  service: BenchService,
  eligible: readonly EligibleBackend[],
): RoutingTable {
  return buildRoutingTable(
    { nodeName: `node-${service.node}`, zone: '' },
    { services: [serviceOf(service)], slices: [sliceOf(service.protocol, eligible)] },
  );
}

function serviceOf({ protocol, affinitySeconds }: BenchService): Service {
  const affinity =
    affinitySeconds === undefined
      ? {}
      : {
          sessionAffinity: 'ClientIP' as const,
          sessionAffinityConfig: { clientIP: { timeoutSeconds: affinitySeconds } },
        };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: SERVICE_NAME, namespace: NAMESPACE },
    spec: {
      type: 'ClusterIP',
      clusterIP: SERVICE_ADDRESS,
      ports: [{ port: SERVICE_PORT, protocol }],
      ...affinity,
    },
  };
}

function sliceOf(
  protocol: BenchService['protocol'],
  eligible: readonly EligibleBackend[],
): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: SERVICE_NAME,
      namespace: NAMESPACE,
      labels: { 'kubernetes.io/service-name': SERVICE_NAME },
    },
    addressType: 'IPv4',
    endpoints: eligible.map(({ address }) => ({ addresses: [address] })),
    ports: [{ name: '', port: eligible[0]?.port ?? SERVICE_PORT, protocol }],
  };
}

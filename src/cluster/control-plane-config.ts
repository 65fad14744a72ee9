import type { ControlPlaneConfig } from '../controlplane/control-plane.ts';
import type { ClusterConfig } from './cluster-config.ts';

/** What a cluster's configuration means for its control plane. */
export function controlPlaneConfig(
  config: ClusterConfig,
  apiServerPort: number | undefined,
): ControlPlaneConfig {
  return {
    serviceCidr: config.serviceSubnet,
    ...(config.overlay.etcd === undefined
      ? { clusterCidrs: [{ cidr: config.podSubnet, nodePrefixLength: config.nodeCIDRMaskSize }] }
      : // flannel gives the nodes their subnets then: --allocate-node-cidrs=false.
        {}),
    nodeLifecycle: {
      gracePeriodMs: config.nodeLifecycle.monitorGracePeriodMs,
      monitorPeriodMs: config.nodeLifecycle.monitorPeriodMs,
    },
    tolerationSeconds: {
      notReady: config.nodeLifecycle.notReadyTolerationSeconds,
      unreachable: config.nodeLifecycle.unreachableTolerationSeconds,
    },
    nodePortRange: config.nodePortRange,
    ...(apiServerPort === undefined ? {} : { apiServerPort }),
    loadBalancerPools: [
      // Some programs take .0 and .255 for networks and broadcasts.
      { name: 'default', blocks: [{ cidr: config.loadBalancerPool }], avoidBuggyIps: true },
    ],
  };
}

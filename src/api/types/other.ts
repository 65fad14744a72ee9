import type { MicroTime, Condition, IntOrString, KubeObject, LabelSelector } from './meta.ts';

/** The small groups: coordination.k8s.io, policy and networking.k8s.io. */

export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: MicroTime;
    renewTime?: MicroTime;
    leaseTransitions?: number;
  };
}

export interface PodDisruptionBudget extends KubeObject {
  spec?: {
    minAvailable?: IntOrString;
    maxUnavailable?: IntOrString;
    selector?: LabelSelector;
    unhealthyPodEvictionPolicy?: string;
  };
  status?: {
    observedGeneration?: number;
    disruptedPods?: Record<string, string>;
    disruptionsAllowed: number;
    currentHealthy: number;
    desiredHealthy: number;
    expectedPods: number;
    conditions?: Condition[];
  };
}

export interface ServiceCidr extends KubeObject {
  spec: { cidrs: string[] };
  status?: { conditions?: Condition[] };
}

export interface IpAddressObject extends KubeObject {
  spec: {
    parentRef: { group?: string; resource: string; namespace?: string; name: string };
  };
}

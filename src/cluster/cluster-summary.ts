import type { Node, Pod, Service } from '../api/types/core.ts';

/** The cluster at a glance, for people and scripts. */
export interface ClusterSummary {
  readonly nodes: readonly {
    readonly name: string;
    readonly address: string;
    readonly podCIDR: string;
    readonly pods: number;
  }[];
  readonly services: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly type: string;
    readonly clusterIP: string;
    readonly externalIPs: readonly string[];
    readonly ports: readonly ServicePortSummary[];
  }[];
  readonly pods: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly phase: string;
    readonly ready: boolean;
    readonly podIP: string;
    readonly node: string;
  }[];
}

export interface ServicePortSummary {
  readonly port: number;
  readonly protocol: string;
  readonly nodePort?: number;
}

export function summarize(
  nodes: readonly Node[],
  services: readonly Service[],
  pods: readonly Pod[],
): ClusterSummary {
  return {
    nodes: nodes.map((node) => ({
      name: node.metadata.name ?? '',
      address: node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '',
      podCIDR: node.spec.podCIDR ?? '',
      pods: pods.filter(({ spec }) => spec.nodeName === node.metadata.name).length,
    })),
    services: services.map(summarizeService),
    pods: pods.map((pod) => ({
      namespace: pod.metadata.namespace ?? '',
      name: pod.metadata.name ?? '',
      phase: pod.status?.phase ?? 'Pending',
      ready: isReady(pod),
      podIP: pod.status?.podIP ?? '',
      node: pod.spec.nodeName ?? '',
    })),
  };
}

function summarizeService(service: Service): ClusterSummary['services'][number] {
  const { metadata, spec, status } = service;
  const ingress = status?.loadBalancer?.ingress ?? [];
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    type: spec.type ?? 'ClusterIP',
    clusterIP: spec.clusterIP ?? '',
    externalIPs: [...ingress.flatMap(({ ip }) => ip ?? []), ...(spec.externalIPs ?? [])],
    ports: (spec.ports ?? []).map(({ port, protocol, nodePort }) => ({
      port,
      protocol: protocol ?? 'TCP',
      ...(nodePort === undefined ? {} : { nodePort }),
    })),
  };
}

export function isReady(pod: Pod): boolean {
  return (
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ??
    false
  );
}

/** Nothing more will happen to it by itself: it runs and is ready, or it has ended. */
export function isSettled(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed' || isReady(pod);
}

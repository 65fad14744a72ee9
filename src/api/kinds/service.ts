import { equalJson } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isDns1035Label } from '../names.ts';
import { ageColumn, nameColumn, orNone } from '../table.ts';
import type { Service, ServicePort, ServiceSpec } from '../types/core.ts';
import { isExternallyAccessible, usesNodePorts } from './service-type.ts';
import { validateService } from './service-validation.ts';

const CLIENT_IP_TIMEOUT_SECONDS = 10_800;
/** Where `kubectl get` without `-o wide` cuts a load balancer's addresses. */
const MAX_INGRESS_WIDTH = 16;

export const serviceKind: KindDefinition = defineKind<Service>({
  kind: 'Service',
  resource: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  storagePrefix: 'services/specs',
  versions: [{ group: '', version: 'v1' }],
  message: 'core.v1.Service',
  nameCheck: isDns1035Label,
  hasGeneration: false,
  hasStatus: true,
  selectableFields: { 'spec.clusterIP': '', 'spec.type': '' },
  columns: [
    nameColumn,
    {
      name: 'Type',
      description: 'How the service is exposed.',
      cell: (service) => service.spec.type ?? '',
    },
    {
      name: 'Cluster-IP',
      description: 'The virtual address.',
      cell: (service) => orNone(service.spec.clusterIPs?.[0] ?? service.spec.clusterIP),
    },
    {
      name: 'External-IP',
      description: 'Addresses outside the cluster.',
      cell: externalIp,
    },
    { name: 'Port(s)', description: 'Ports the service offers.', cell: formatPorts },
    ageColumn,
    {
      name: 'Selector',
      priority: 1,
      description: 'Labels of the pods that serve it.',
      cell: (service) =>
        orNone(
          Object.entries(service.spec.selector ?? {})
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, value]) => `${key}=${value}`)
            .join(','),
        ),
    },
  ],
  defaults(service) {
    defaultServiceSpec(service.spec);
    for (const ingress of service.status?.loadBalancer?.ingress ?? [])
      if (ingress.ip !== undefined) ingress.ipMode ??= 'VIP';
  },
  prepareForCreate(service) {
    service.status = { loadBalancer: {} };
  },
  prepareForUpdate(service, old) {
    keepAllocations(service.spec, old.spec);
  },
  validate: validateService,
  validateUpdate(service, old, { errors }) {
    if (service.spec.type === 'ExternalName' || old.spec.type === 'ExternalName') return;
    const [before] = old.spec.clusterIPs ?? [];
    const [now] = service.spec.clusterIPs ?? [];
    if (before === undefined || before === now) return;
    if (now === undefined || now === '')
      errors.invalid('spec.clusterIPs[0]', now ?? '', 'primary clusterIP can not be unset');
    else errors.invalid('spec.clusterIPs[0]', now, 'may not change once set');
  },
});

/** pkg/apis/core/v1/defaults.go SetDefaults_Service. */
function defaultServiceSpec(spec: ServiceSpec): void {
  spec.type ??= 'ClusterIP';
  spec.sessionAffinity ??= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    const clientIP = ((spec.sessionAffinityConfig ??= {}).clientIP ??= {});
    clientIP.timeoutSeconds ??= CLIENT_IP_TIMEOUT_SECONDS;
  }
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP';
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '')
      port.targetPort = port.port;
    if (port.nodePort === 0) delete port.nodePort;
  }
  if (spec.clusterIP === '') delete spec.clusterIP;
  if (spec.clusterIP !== undefined && (spec.clusterIPs ?? []).length === 0)
    spec.clusterIPs = [spec.clusterIP];
  if (spec.clusterIP === undefined && spec.clusterIPs?.[0] !== undefined)
    spec.clusterIP = spec.clusterIPs[0];
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
  if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ??= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
}

/**
 * An update that leaves out what was allocated keeps it, and one that changes the type loses what the new
 * type has no use for, unless the user changed it in the same update (service storage's patchAllocatedValues
 * and dropTypeDependentFields).
 */
function keepAllocations(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.type !== 'ExternalName' && old.type !== 'ExternalName') {
    if (spec.clusterIP === undefined && (spec.clusterIPs ?? []).length === 0) {
      if (old.clusterIP !== undefined) spec.clusterIP = old.clusterIP;
      if (old.clusterIPs !== undefined) spec.clusterIPs = [...old.clusterIPs];
    } else if (spec.clusterIP !== old.clusterIP && equalJson(spec.clusterIPs, old.clusterIPs))
      // Only the old field was changed: the new one follows (NormalizeClusterIPs).
      spec.clusterIPs = spec.clusterIP === undefined ? [] : [spec.clusterIP];
    if (spec.ipFamilies === undefined && old.ipFamilies !== undefined)
      spec.ipFamilies = [...old.ipFamilies];
    if (spec.ipFamilyPolicy === undefined && old.ipFamilyPolicy !== undefined)
      spec.ipFamilyPolicy = old.ipFamilyPolicy;
  }
  if (usesNodePorts(spec)) keepNodePorts(spec.ports ?? [], old.ports ?? []);
  else if (usesNodePorts(old)) dropUnchangedNodePorts(spec.ports ?? [], old.ports ?? []);
  if (spec.type !== 'LoadBalancer' && old.type === 'LoadBalancer') dropLoadBalancer(spec, old);
  if (spec.type === 'ExternalName' && old.type !== 'ExternalName') dropClusterIp(spec, old);
  if (!isExternallyAccessible(spec) && spec.externalTrafficPolicy === old.externalTrafficPolicy)
    delete spec.externalTrafficPolicy;
}

function keepNodePorts(ports: readonly ServicePort[], old: readonly ServicePort[]): void {
  for (const port of ports) {
    const before = old.find(
      (other) => other.port === port.port && other.protocol === (port.protocol ?? 'TCP'),
    );
    if (port.nodePort === undefined && before?.nodePort !== undefined)
      port.nodePort = before.nodePort;
  }
}

function dropUnchangedNodePorts(ports: readonly ServicePort[], old: readonly ServicePort[]): void {
  const before = new Set(old.map((port) => port.nodePort));
  for (const port of ports) if (before.has(port.nodePort)) delete port.nodePort;
}

function dropLoadBalancer(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts)
    delete spec.allocateLoadBalancerNodePorts;
  if (spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass;
  if (spec.healthCheckNodePort === old.healthCheckNodePort) delete spec.healthCheckNodePort;
}

function dropClusterIp(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.clusterIP === old.clusterIP) {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  }
  delete spec.ipFamilies;
  delete spec.ipFamilyPolicy;
  delete spec.internalTrafficPolicy;
}

function externalIp(service: Service): string {
  const { type, externalIPs = [], externalName } = service.spec;
  if (type === 'ExternalName') return orNone(externalName);
  if (type !== 'LoadBalancer') return orNone(externalIPs.join(','));
  const ingress = (service.status?.loadBalancer?.ingress ?? [])
    .map(({ ip, hostname }) => ip ?? hostname ?? '')
    .filter((text) => text !== '');
  const shown = [...new Set(ingress)].toSorted().join(',');
  const cut =
    shown.length > MAX_INGRESS_WIDTH ? `${shown.slice(0, MAX_INGRESS_WIDTH - 3)}...` : shown;
  const all = [cut, ...externalIPs].filter((text) => text !== '');
  return all.length === 0 ? '<pending>' : all.join(',');
}

function formatPorts(service: Service): string {
  return orNone(
    (service.spec.ports ?? [])
      .map(({ port, nodePort, protocol = 'TCP' }) =>
        nodePort === undefined || nodePort === 0
          ? `${port}/${protocol}`
          : `${port}:${nodePort}/${protocol}`,
      )
      .join(','),
  );
}

import { parseCidr, parseIp } from '../../base/ip.ts';
import type { FieldErrors } from '../field-errors.ts';
import type { ValidationContext } from '../kind.ts';
import {
  isDnsLabel,
  isDnsSubdomain,
  isPortNumber,
  isQualifiedName,
  validateLabels,
} from '../names.ts';
import type { Service, ServicePort, ServiceSpec } from '../types/core.ts';
import { validateTargetPort } from './pod-validation.ts';
import { isExternallyAccessible, usesNodePorts } from './service-type.ts';

const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const AFFINITIES = ['ClientIP', 'None'];
const TRAFFIC_POLICIES = ['Cluster', 'Local'];
const DISTRIBUTIONS = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];
const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const MAX_AFFINITY_SECONDS = 86_400;
const HEADLESS = 'None';

/** pkg/apis/core/validation ValidateService. */
export function validateService(service: Service, { errors }: ValidationContext): void {
  const { spec } = service;
  if (!TYPES.includes(spec.type ?? '')) errors.notSupported('spec.type', spec.type ?? '', TYPES);
  const headless = spec.clusterIPs?.[0] === HEADLESS || spec.clusterIP === HEADLESS;
  if ((spec.ports ?? []).length === 0 && !headless && spec.type !== 'ExternalName')
    errors.required('spec.ports');
  validatePorts(spec, errors);
  validateByType(spec, headless, errors);
  validateLabels(spec.selector ?? {}, 'spec.selector', errors);
  validateAffinity(spec, errors);
  validateClusterIps(spec, errors);
  for (const [index, ip] of (spec.externalIPs ?? []).entries())
    validateExternalIp(ip, `spec.externalIPs[${index}]`, errors);
  validateTrafficPolicies(spec, errors);
  validateLoadBalancer(spec, errors);
  if (spec.trafficDistribution !== undefined && !DISTRIBUTIONS.includes(spec.trafficDistribution))
    errors.notSupported('spec.trafficDistribution', spec.trafficDistribution, DISTRIBUTIONS);
}

function validateByType(spec: ServiceSpec, headless: boolean, errors: FieldErrors): void {
  if (usesNodePorts(spec) && headless)
    errors.invalid(
      'spec.clusterIPs[0]',
      HEADLESS,
      `may not be set to 'None' for ${spec.type} services`,
    );
  if (spec.type !== 'ExternalName') return;
  if ((spec.clusterIPs ?? []).length > 0)
    errors.forbidden('spec.clusterIPs', 'may not be set for ExternalName services');
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') errors.required('spec.externalName');
  else errors.invalidAll('spec.externalName', spec.externalName, isDnsSubdomain(name));
}

function validatePorts(spec: ServiceSpec, errors: FieldErrors): void {
  const ports = spec.ports ?? [];
  const seen = { names: new Set<string>(), ports: new Set<string>(), nodePorts: new Set<string>() };
  for (const [index, port] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    validatePort(port, at, ports.length > 1, seen.names, errors);
    const { protocol = 'TCP', nodePort = 0 } = port;
    if (nodePort !== 0) {
      if (!usesNodePorts(spec))
        errors.forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type}'`);
      const key = `${protocol}/${nodePort}`;
      if (seen.nodePorts.has(key)) errors.duplicate(`${at}.nodePort`, nodePort);
      seen.nodePorts.add(key);
    }
    const key = `${protocol}/${port.port}`;
    if (seen.ports.has(key)) errors.duplicate(at, { port: port.port, protocol });
    seen.ports.add(key);
  }
}

function validatePort(
  port: ServicePort,
  at: string,
  nameRequired: boolean,
  names: Set<string>,
  errors: FieldErrors,
): void {
  const name = port.name ?? '';
  if (name === '' && nameRequired) errors.required(`${at}.name`);
  if (name !== '') {
    errors.invalidAll(`${at}.name`, name, isDnsLabel(name));
    if (names.has(name)) errors.duplicate(`${at}.name`, name);
    names.add(name);
  }
  errors.invalidAll(`${at}.port`, port.port ?? 0, isPortNumber(port.port ?? 0));
  if (!PROTOCOLS.includes(port.protocol ?? ''))
    errors.notSupported(`${at}.protocol`, port.protocol ?? '', PROTOCOLS);
  validateTargetPort(port.targetPort, `${at}.targetPort`, errors);
  if (port.appProtocol !== undefined)
    errors.invalidAll(`${at}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol));
}

function validateAffinity(spec: ServiceSpec, errors: FieldErrors): void {
  if (!AFFINITIES.includes(spec.sessionAffinity ?? ''))
    errors.notSupported('spec.sessionAffinity', spec.sessionAffinity ?? '', AFFINITIES);
  if (spec.sessionAffinity === 'None' && spec.sessionAffinityConfig !== undefined)
    errors.forbidden('spec.sessionAffinityConfig', 'must not be set when session affinity is None');
  if (spec.sessionAffinity !== 'ClientIP') return;
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 0;
  if (seconds < 1 || seconds > MAX_AFFINITY_SECONDS)
    errors.invalid(
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
      seconds,
      `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`,
    );
}

function validateClusterIps(spec: ServiceSpec, errors: FieldErrors): void {
  const { clusterIP, clusterIPs = [], type } = spec;
  if (type === 'ExternalName') return;
  if (clusterIP !== undefined && clusterIPs.length > 0 && clusterIPs[0] !== clusterIP)
    errors.invalid('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`');
  if (clusterIPs.length > 2)
    errors.invalid('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values');
  for (const [index, ip] of clusterIPs.entries()) {
    if (ip === HEADLESS && index === 0) continue;
    if (ip !== '' && parseIp(ip) === undefined)
      errors.invalid(
        `spec.clusterIPs[${index}]`,
        ip,
        'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      );
  }
  for (const [index, family] of (spec.ipFamilies ?? []).entries())
    if (!FAMILIES.includes(family))
      errors.notSupported(`spec.ipFamilies[${index}]`, family, FAMILIES);
  if (spec.ipFamilyPolicy !== undefined && !FAMILY_POLICIES.includes(spec.ipFamilyPolicy))
    errors.notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, FAMILY_POLICIES);
}

/**
 * Addresses that could not come from outside are refused. The loopback rule is relaxed: podwire's own plan
 * lives in 127.0.0.0/8, where only 127.0.0.1 is every program's own.
 */
function validateExternalIp(text: string, field: string, errors: FieldErrors): void {
  const ip = parseIp(text);
  if (ip === undefined) {
    errors.invalid(field, text, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
    return;
  }
  if (text === '0.0.0.0' || text === '::')
    errors.invalid(field, text, 'may not be unspecified (0.0.0.0 or ::)');
  if (text === '127.0.0.1' || text === '::1')
    errors.invalid(field, text, 'may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (ip.family !== 'IPv4') return;
  if (ip.value >>> 16 === 0xa9fe)
    errors.invalid(field, text, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  if (ip.value >>> 28 === 0xe)
    errors.invalid(
      field,
      text,
      'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
    );
}

function validateTrafficPolicies(spec: ServiceSpec, errors: FieldErrors): void {
  const { externalTrafficPolicy: external, internalTrafficPolicy: internal } = spec;
  if (external !== undefined) {
    if (!isExternallyAccessible(spec))
      errors.invalid(
        'spec.externalTrafficPolicy',
        external,
        'may only be set for externally-accessible services',
      );
    else if (!TRAFFIC_POLICIES.includes(external))
      errors.notSupported('spec.externalTrafficPolicy', external, TRAFFIC_POLICIES);
  }
  if (internal !== undefined && !TRAFFIC_POLICIES.includes(internal))
    errors.notSupported('spec.internalTrafficPolicy', internal, TRAFFIC_POLICIES);
  const health = spec.healthCheckNodePort ?? 0;
  if (health !== 0 && (spec.type !== 'LoadBalancer' || external !== 'Local'))
    errors.invalid(
      'spec.healthCheckNodePort',
      health,
      "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    );
}

function validateLoadBalancer(spec: ServiceSpec, errors: FieldErrors): void {
  if (spec.type === 'LoadBalancer') {
    for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries())
      if (parseCidr(range.trim(), { allowHostBits: true }) === undefined)
        errors.invalid(
          `spec.loadBalancerSourceRanges[${index}]`,
          range,
          'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        );
    if (spec.loadBalancerClass !== undefined)
      errors.invalidAll(
        'spec.loadBalancerClass',
        spec.loadBalancerClass,
        isQualifiedName(spec.loadBalancerClass),
      );
    return;
  }
  const only = "may only be used when `type` is 'LoadBalancer'";
  if ((spec.loadBalancerSourceRanges ?? []).length > 0)
    errors.forbidden('spec.loadBalancerSourceRanges', only);
  if (spec.allocateLoadBalancerNodePorts !== undefined)
    errors.forbidden('spec.allocateLoadBalancerNodePorts', only);
  if (spec.loadBalancerClass !== undefined) errors.forbidden('spec.loadBalancerClass', only);
}

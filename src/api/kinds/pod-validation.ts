import { parseIp } from '../../base/ip.ts';
import type { FieldErrors } from '../field-errors.ts';
import {
  isDnsLabel,
  isDnsSubdomain,
  isEnvVarName,
  isPortName,
  isPortNumber,
  isQualifiedName,
  validateLabels,
} from '../names.ts';
import { quantityValue } from '../quantity.ts';
import type {
  Container,
  ContainerPort,
  EnvVar,
  PodSpec,
  Probe,
  Toleration,
  Volume,
} from '../types/core.ts';
import type { IntOrString } from '../types/meta.ts';
import { validateAffinity } from './affinity-validation.ts';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];
const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const VOLUME_SOURCES_NOT_NAMED = new Set(['name']);

/** pkg/apis/core/validation: a pod's or a template's spec. `field` is where the spec is. */
export function validatePodSpec(spec: PodSpec, field: string, errors: FieldErrors): void {
  const volumes = validateVolumes(spec.volumes ?? [], `${field}.volumes`, errors);
  validateContainers(spec, volumes, field, errors);
  oneOf(spec.restartPolicy, RESTART_POLICIES, `${field}.restartPolicy`, errors);
  oneOf(spec.dnsPolicy, DNS_POLICIES, `${field}.dnsPolicy`, errors);
  if (spec.dnsPolicy === 'None' && (spec.dnsConfig?.nameservers ?? []).length === 0)
    errors.required(
      `${field}.dnsConfig.nameservers`,
      'must provide at least one DNS nameserver when `dnsPolicy` is None',
    );
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    errors.invalid(
      `${field}.terminationGracePeriodSeconds`,
      spec.terminationGracePeriodSeconds,
      'must be greater than or equal to 0',
    );
  if (spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds < 1)
    errors.invalid(
      `${field}.activeDeadlineSeconds`,
      spec.activeDeadlineSeconds,
      'must be between 1 and 2147483647, inclusive',
    );
  validateNames(spec, field, errors);
  if (spec.affinity !== undefined) validateAffinity(spec.affinity, `${field}.affinity`, errors);
  for (const [index, toleration] of (spec.tolerations ?? []).entries())
    validateToleration(toleration, `${field}.tolerations[${index}]`, errors);
  for (const [index, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const at = `${field}.topologySpreadConstraints[${index}]`;
    if (!(constraint.maxSkew > 0))
      errors.invalid(`${at}.maxSkew`, constraint.maxSkew ?? 0, 'must be greater than zero');
    if ((constraint.topologyKey ?? '') === '')
      errors.required(`${at}.topologyKey`, 'can not be empty');
    oneOf(
      constraint.whenUnsatisfiable,
      ['DoNotSchedule', 'ScheduleAnyway'],
      `${at}.whenUnsatisfiable`,
      errors,
    );
  }
}

function validateNames(spec: PodSpec, field: string, errors: FieldErrors): void {
  if ((spec.hostname ?? '') !== '')
    errors.invalidAll(`${field}.hostname`, spec.hostname, isDnsLabel(spec.hostname ?? ''));
  if ((spec.subdomain ?? '') !== '')
    errors.invalidAll(`${field}.subdomain`, spec.subdomain, isDnsLabel(spec.subdomain ?? ''));
  if ((spec.nodeName ?? '') !== '')
    errors.invalidAll(`${field}.nodeName`, spec.nodeName, isDnsSubdomain(spec.nodeName ?? ''));
  if ((spec.serviceAccountName ?? '') !== '')
    errors.invalidAll(
      `${field}.serviceAccountName`,
      spec.serviceAccountName,
      isDnsSubdomain(spec.serviceAccountName ?? ''),
    );
  validateLabels(spec.nodeSelector ?? {}, `${field}.nodeSelector`, errors);
}

function validateContainers(
  spec: PodSpec,
  volumes: ReadonlySet<string>,
  field: string,
  errors: FieldErrors,
): void {
  const containers = spec.containers ?? [];
  if (containers.length === 0) errors.required(`${field}.containers`);
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  const groups = [
    [`${field}.initContainers`, spec.initContainers ?? []],
    [`${field}.containers`, containers],
  ] as const;
  for (const [at, group] of groups)
    for (const [index, container] of group.entries()) {
      const path = `${at}[${index}]`;
      if (names.has(container.name)) errors.duplicate(`${path}.name`, container.name);
      names.add(container.name);
      validateContainer(container, volumes, path, errors);
      validatePorts(container.ports ?? [], `${path}.ports`, hostPorts, spec, errors);
    }
}

function validateContainer(
  container: Container,
  volumes: ReadonlySet<string>,
  field: string,
  errors: FieldErrors,
): void {
  if ((container.name ?? '') === '') errors.required(`${field}.name`);
  else errors.invalidAll(`${field}.name`, container.name, isDnsLabel(container.name));
  const image = container.image ?? '';
  if (image === '') errors.required(`${field}.image`);
  else if (image !== image.trim())
    errors.invalid(`${field}.image`, image, 'must not have leading or trailing whitespace');
  oneOf(container.imagePullPolicy, PULL_POLICIES, `${field}.imagePullPolicy`, errors);
  validateEnv(container.env ?? [], `${field}.env`, errors);
  validateMounts(container, volumes, field, errors);
  validateResources(container, `${field}.resources`, errors);
  validateProbe(container.livenessProbe, `${field}.livenessProbe`, errors, 'once');
  validateProbe(container.readinessProbe, `${field}.readinessProbe`, errors);
  validateProbe(container.startupProbe, `${field}.startupProbe`, errors, 'once');
}

function validatePorts(
  ports: readonly ContainerPort[],
  field: string,
  hostPorts: Set<string>,
  spec: PodSpec,
  errors: FieldErrors,
): void {
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = `${field}[${index}]`;
    if ((port.name ?? '') !== '') {
      errors.invalidAll(`${at}.name`, port.name, isPortName(port.name ?? ''));
      if (names.has(port.name ?? '')) errors.duplicate(`${at}.name`, port.name);
      names.add(port.name ?? '');
    }
    if (port.containerPort === undefined || port.containerPort === 0)
      errors.required(`${at}.containerPort`);
    else
      errors.invalidAll(
        `${at}.containerPort`,
        port.containerPort,
        isPortNumber(port.containerPort),
      );
    oneOf(port.protocol, PROTOCOLS, `${at}.protocol`, errors);
    validateHostPort(port, at, hostPorts, spec, errors);
  }
}

function validateHostPort(
  port: ContainerPort,
  at: string,
  hostPorts: Set<string>,
  spec: PodSpec,
  errors: FieldErrors,
): void {
  if (port.hostPort === undefined || port.hostPort === 0) return;
  errors.invalidAll(`${at}.hostPort`, port.hostPort, isPortNumber(port.hostPort));
  if (spec.hostNetwork === true && port.hostPort !== port.containerPort)
    errors.invalid(
      `${at}.hostPort`,
      port.hostPort,
      'must match `containerPort` when `hostNetwork` is true',
    );
  const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
  if (hostPorts.has(key)) errors.duplicate(`${at}.hostPort`, key);
  hostPorts.add(key);
  if (port.hostIP !== undefined && port.hostIP !== '' && parseIp(port.hostIP) === undefined)
    errors.invalid(
      `${at}.hostIP`,
      port.hostIP,
      'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    );
}

function validateEnv(env: readonly EnvVar[], field: string, errors: FieldErrors): void {
  for (const [index, variable] of env.entries()) {
    const at = `${field}[${index}]`;
    if ((variable.name ?? '') === '') errors.required(`${at}.name`);
    else errors.invalidAll(`${at}.name`, variable.name, isEnvVarName(variable.name));
    if (variable.valueFrom === undefined) continue;
    const sources = Object.keys(variable.valueFrom);
    if (sources.length === 0)
      errors.invalid(
        `${at}.valueFrom`,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      );
    if (sources.length > 1)
      errors.invalid(`${at}.valueFrom`, '', 'may not have more than one field specified at a time');
    if ((variable.value ?? '') !== '')
      errors.invalid(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty');
    for (const ref of ['configMapKeyRef', 'secretKeyRef'] as const)
      if (variable.valueFrom[ref] !== undefined && (variable.valueFrom[ref].key ?? '') === '')
        errors.required(`${at}.valueFrom.${ref}.key`);
  }
}

function validateMounts(
  container: Container,
  volumes: ReadonlySet<string>,
  field: string,
  errors: FieldErrors,
): void {
  const paths = new Set<string>();
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${field}.volumeMounts[${index}]`;
    if ((mount.name ?? '') === '') errors.required(`${at}.name`);
    else if (!volumes.has(mount.name)) errors.notFound(`${at}.name`, mount.name);
    if ((mount.mountPath ?? '') === '') errors.required(`${at}.mountPath`);
    else if (paths.has(mount.mountPath))
      errors.invalid(`${at}.mountPath`, mount.mountPath, 'must be unique');
    paths.add(mount.mountPath);
  }
}

function validateVolumes(
  volumes: readonly Volume[],
  field: string,
  errors: FieldErrors,
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const at = `${field}[${index}]`;
    if ((volume.name ?? '') === '') errors.required(`${at}.name`);
    else errors.invalidAll(`${at}.name`, volume.name, isDnsLabel(volume.name));
    if (names.has(volume.name)) errors.duplicate(`${at}.name`, volume.name);
    names.add(volume.name);
    const sources = Object.keys(volume).filter((key) => !VOLUME_SOURCES_NOT_NAMED.has(key));
    if (sources.length === 0) errors.required(at, 'must specify a volume type');
    if (sources.length > 1)
      errors.forbidden(`${at}.${sources[1]}`, 'may not specify more than 1 volume type');
  }
  return names;
}

function validateResources(container: Container, field: string, errors: FieldErrors): void {
  const { limits = {}, requests = {} } = container.resources ?? {};
  for (const [which, list] of [
    ['limits', limits],
    ['requests', requests],
  ] as const)
    for (const [name, quantity] of Object.entries(list)) {
      errors.invalidAll(`${field}.${which}`, name, isQualifiedName(name));
      if (quantityValue(quantity) < 0)
        errors.invalid(
          `${field}.${which}[${name}]`,
          quantity,
          'must be greater than or equal to 0',
        );
    }
  for (const [name, request] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit !== undefined && quantityValue(request) > quantityValue(limit))
      errors.invalid(
        `${field}.requests`,
        request,
        `must be less than or equal to ${name} limit of ${limit}`,
      );
  }
}

function validateProbe(
  probe: Probe | undefined,
  field: string,
  errors: FieldErrors,
  success?: 'once',
): void {
  if (probe === undefined) return;
  const handlers = (['exec', 'httpGet', 'tcpSocket', 'grpc'] as const).filter(
    (name) => probe[name] !== undefined,
  );
  if (handlers.length === 0) errors.required(field, 'must specify a handler type');
  for (const extra of handlers.slice(1))
    errors.forbidden(`${field}.${extra}`, 'may not specify more than 1 handler type');
  for (const name of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const)
    if ((probe[name] ?? 0) < 0)
      errors.invalid(`${field}.${name}`, probe[name], 'must be greater than or equal to 0');
  if (success === 'once' && (probe.successThreshold ?? 1) > 1)
    errors.invalid(`${field}.successThreshold`, probe.successThreshold, 'must be 1');
  if (probe.httpGet !== undefined)
    validateTargetPort(probe.httpGet.port, `${field}.httpGet.port`, errors);
  if (probe.tcpSocket !== undefined)
    validateTargetPort(probe.tcpSocket.port, `${field}.tcpSocket.port`, errors);
  if (probe.grpc !== undefined)
    errors.invalidAll(`${field}.grpc.port`, probe.grpc.port ?? 0, isPortNumber(probe.grpc.port));
  if (probe.exec !== undefined && (probe.exec.command ?? []).length === 0)
    errors.required(`${field}.exec.command`);
}

/** A port number, or the name of a container's port. */
export function validateTargetPort(
  port: IntOrString | undefined,
  field: string,
  errors: FieldErrors,
): void {
  const value = port ?? 0;
  errors.invalidAll(
    field,
    value,
    typeof value === 'number' ? isPortNumber(value) : isPortName(value),
  );
}

function validateToleration(toleration: Toleration, field: string, errors: FieldErrors): void {
  const { key = '', operator = 'Equal', value = '', effect } = toleration;
  if (key !== '') errors.invalidAll(`${field}.key`, key, isQualifiedName(key));
  else if (operator !== 'Exists')
    errors.invalid(
      `${field}.operator`,
      operator,
      'operator must be Exists when `key` is empty, which means "match all values and all keys"',
    );
  if (operator !== 'Exists' && operator !== 'Equal')
    errors.notSupported(`${field}.operator`, operator, ['Equal', 'Exists']);
  if (operator === 'Exists' && value !== '')
    errors.invalid(`${field}.operator`, value, "value must be empty when `operator` is 'Exists'");
  if ((effect ?? '') !== '') oneOf(effect, TAINT_EFFECTS, `${field}.effect`, errors);
  if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute')
    errors.invalid(
      `${field}.effect`,
      effect ?? '',
      "effect must be 'NoExecute' when `tolerationSeconds` is set",
    );
}

function oneOf(
  value: string | undefined,
  supported: readonly string[],
  field: string,
  errors: FieldErrors,
): void {
  if (value === undefined || value === '') errors.required(field);
  else if (!supported.includes(value)) errors.notSupported(field, value, supported);
}

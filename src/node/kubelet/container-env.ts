import type { ConfigMap, Container, Pod, Secret, Service } from '../../api/types/core.ts';
import { PodwireError } from '../../base/errors.ts';

/** What a container's environment may refer to. Lookups are in the pod's own namespace. */
export interface EnvSources {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** The namespace's Services; `kubernetes` of the default namespace is always among them. */
  services(): readonly Service[];
}

/** What the pod was given by its node. */
export interface PodPlacement {
  readonly podIP: string;
  readonly hostIP: string;
  readonly nodeName: string;
}

/**
 * The environment of one container: Service variables, then envFrom, then env with `$(NAME)` references
 * resolved, later ones winning (pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables). POD_IP is podwire's
 * own addition for process pods, which must know the address to bind.
 *
 * Throws a PodwireError `CreateContainerConfigError` that names what is missing.
 */
export function containerEnv(
  pod: Pod,
  container: Container,
  placement: PodPlacement,
  sources: EnvSources,
): Record<string, string> {
  const env: Record<string, string> = { POD_IP: placement.podIP };
  if (pod.spec.enableServiceLinks !== false) Object.assign(env, serviceEnv(sources.services()));
  for (const from of container.envFrom ?? []) {
    const values = {
      ...valuesOf('configmap', from.configMapRef, sources),
      ...valuesOf('secret', from.secretRef, sources),
    };
    for (const [name, value] of Object.entries(values)) env[`${from.prefix ?? ''}${name}`] = value;
  }
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined
        ? expandReferences(variable.value ?? '', env)
        : resolveReference(pod, container, placement, variable.valueFrom, sources);
    if (value !== undefined) env[variable.name] = value;
  }
  return env;
}

/** `$(NAME)` → its value; unknown names stay as they are; `$$` is an escaped dollar. */
export function expandReferences(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (match, name: string | undefined) =>
    name === undefined ? '$' : (env[name] ?? match),
  );
}

/** Docker-links style variables for every Service with a cluster IP (pkg/kubelet/envvars). */
export function serviceEnv(services: readonly Service[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const service of services) {
    const host = service.spec.clusterIP;
    const ports = service.spec.ports ?? [];
    const first = ports[0];
    if (host === undefined || host === '' || host === 'None' || first === undefined) continue;
    const prefix = envName(service.metadata.name ?? '');
    env[`${prefix}_SERVICE_HOST`] = host;
    env[`${prefix}_SERVICE_PORT`] = String(first.port);
    for (const port of ports) {
      if (port.name !== undefined && port.name !== '')
        env[`${prefix}_SERVICE_PORT_${envName(port.name)}`] = String(port.port);
    }
    env[`${prefix}_PORT`] = portUrl(host, first);
    for (const port of ports) {
      const protocol = port.protocol ?? 'TCP';
      const name = `${prefix}_PORT_${port.port}_${protocol}`;
      env[name] = portUrl(host, port);
      env[`${name}_PROTO`] = protocol.toLowerCase();
      env[`${name}_PORT`] = String(port.port);
      env[`${name}_ADDR`] = host;
    }
  }
  return env;
}

function portUrl(host: string, port: { port: number; protocol?: string }): string {
  return `${(port.protocol ?? 'TCP').toLowerCase()}://${host}:${port.port}`;
}

function envName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

type Reference = NonNullable<NonNullable<Container['env']>[number]['valueFrom']>;

function resolveReference(
  pod: Pod,
  container: Container,
  placement: PodPlacement,
  from: Reference,
  sources: EnvSources,
): string | undefined {
  if (from.fieldRef !== undefined) return podField(pod, placement, from.fieldRef.fieldPath);
  if (from.resourceFieldRef !== undefined)
    return resourceField(container, from.resourceFieldRef.resource);
  if (from.configMapKeyRef !== undefined) return keyOf('configmap', from.configMapKeyRef, sources);
  if (from.secretKeyRef !== undefined) return keyOf('secret', from.secretKeyRef, sources);
  return undefined;
}

interface NamedReference {
  name?: string;
  optional?: boolean;
}

/** All values of a ConfigMap or Secret, decoded; missing and optional gives none. */
function valuesOf(
  kind: 'configmap' | 'secret',
  reference: NamedReference | undefined,
  sources: EnvSources,
): Record<string, string> {
  if (reference === undefined) return {};
  const name = reference.name ?? '';
  if (kind === 'configmap') {
    const found = sources.configMap(name);
    if (found !== undefined) return found.data ?? {};
  } else {
    const found = sources.secret(name);
    if (found !== undefined) return decoded(found);
  }
  if (reference.optional === true) return {};
  throw new PodwireError('CreateContainerConfigError', `${kind} "${name}" not found`);
}

function keyOf(
  kind: 'configmap' | 'secret',
  reference: NamedReference & { key: string },
  sources: EnvSources,
): string | undefined {
  const value = valuesOf(kind, reference, sources)[reference.key];
  if (value !== undefined || reference.optional === true) return value;
  const kindName = kind === 'configmap' ? 'ConfigMap' : 'Secret';
  throw new PodwireError(
    'CreateContainerConfigError',
    `couldn't find key ${reference.key} in ${kindName} ${reference.name ?? ''}`,
  );
}

export function decoded(secret: Secret): Record<string, string> {
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString('utf8'),
    ]),
  );
}

/** The downward API's fields. Throws `CreateContainerConfigError` for a path it does not know. */
function podField(pod: Pod, placement: PodPlacement, path: string): string {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null)
    return metadata[keyed[1] === 'labels' ? 'labels' : 'annotations']?.[keyed[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'spec.nodeName':
      return placement.nodeName;
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? 'default';
    case 'status.hostIP':
    case 'status.hostIPs':
      return placement.hostIP;
    case 'status.podIP':
    case 'status.podIPs':
      return placement.podIP;
    default:
      throw new PodwireError('CreateContainerConfigError', `unsupported fieldPath: ${path}`);
  }
}

/** Limits fall back to requests; podwire's nodes do not cap what a container may use. */
function resourceField(container: Container, resource: string): string {
  const [which = '', ...name] = resource.split('.');
  const { limits, requests } = container.resources ?? {};
  const amounts = which === 'requests' ? requests : { ...requests, ...limits };
  return amounts?.[name.join('.')] ?? '0';
}

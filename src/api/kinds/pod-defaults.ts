import type { Container, PodSpec, Probe, ProbeHandler } from '../types/core.ts';

/** What an omitted field of a pod or pod template means (pkg/apis/core/v1/defaults.go). In place. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ??= 'Always';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.schedulerName ??= 'default-scheduler';
  spec.securityContext ??= {};
  if (spec.serviceAccountName === undefined && spec.serviceAccount !== undefined)
    spec.serviceAccountName = spec.serviceAccount;
  if (spec.serviceAccountName !== undefined) spec.serviceAccount = spec.serviceAccountName;
  for (const container of containersOf(spec)) defaultContainer(container);
  for (const volume of spec.volumes ?? []) {
    if (volume.configMap !== undefined) volume.configMap.defaultMode ??= 0o644;
    if (volume.secret !== undefined) volume.secret.defaultMode ??= 0o644;
    if (volume.hostPath !== undefined) volume.hostPath.type ??= '';
  }
}

/** SetDefaults_Pod: what is filled in pods alone and not in their templates. In place. */
export function defaultPod(spec: PodSpec): void {
  spec.enableServiceLinks ??= true;
  for (const container of containersOf(spec)) {
    for (const [resource, limit] of Object.entries(container.resources?.limits ?? {})) {
      const resources = (container.resources ??= {});
      resources.requests ??= {};
      resources.requests[resource] ??= limit;
    }
    if (spec.hostNetwork === true)
      for (const port of container.ports ?? []) port.hostPort ??= port.containerPort;
  }
}

function containersOf(spec: PodSpec): Container[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
}

function defaultContainer(container: Container): void {
  container.imagePullPolicy ??= isLatest(container.image ?? '') ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  for (const port of container.ports ?? []) port.protocol ??= 'TCP';
  for (const variable of container.env ?? [])
    if (variable.valueFrom?.fieldRef !== undefined) variable.valueFrom.fieldRef.apiVersion ??= 'v1';
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe !== undefined) defaultProbe(probe);
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop])
    if (hook !== undefined) defaultHandler(hook);
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ??= 1;
  probe.periodSeconds ??= 10;
  probe.successThreshold ??= 1;
  probe.failureThreshold ??= 3;
  defaultHandler(probe);
}

function defaultHandler(handler: ProbeHandler): void {
  if (handler.httpGet !== undefined) {
    if ((handler.httpGet.path ?? '') === '') handler.httpGet.path = '/';
    handler.httpGet.scheme ??= 'HTTP';
  }
  if (handler.grpc !== undefined) handler.grpc.service ??= '';
}

/** An image without a tag or digest is `:latest`. */
function isLatest(image: string): boolean {
  if (image.includes('@')) return false;
  const tag = /:([^:/]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest';
}

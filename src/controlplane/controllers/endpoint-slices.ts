import { equalJson } from '../../api/json.ts';
import type { Node, Pod, Service } from '../../api/types/core.ts';
import {
  type EndpointSlice,
  MANAGED_BY_LABEL,
  SERVICE_NAME_LABEL,
  type SliceEndpoint,
  type SlicePort,
} from '../../api/types/discovery.ts';
import { endpointHostname, endpointPorts, isHeadless } from './endpoint-ports.ts';
import { addHints } from './endpoint-hints.ts';
import { withTriggerTime } from './trigger-times.ts';
import { controllerReference, isPodFinished, isPodReady } from './pod-facts.ts';

export const SLICE_CONTROLLER = 'endpointslice-controller.k8s.io';
const HEADLESS_LABEL = 'service.kubernetes.io/headless';
const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** --max-endpoints-per-slice. */
const MAX_PER_SLICE = 100;

export interface SliceChanges {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
}

export interface SliceInput {
  readonly service: Service;
  /** Those the selector takes. */
  readonly pods: readonly Pod[];
  readonly node: (name: string) => Node | undefined;
  readonly nodes: readonly Node[];
  /** The controller's own slices of the Service. */
  readonly existing: readonly EndpointSlice[];
  /** When the change began that the slices are written for. */
  readonly triggerTime?: string | undefined;
}

/** Endpoints with the same ports share slices. */
interface PortGroup {
  readonly ports: readonly SlicePort[];
  readonly endpoints: Map<string, SliceEndpoint>;
}

/**
 * What to do to a Service's EndpointSlices so that they say what its pods say (pkg/controller/endpointslice
 * and staging endpointslice reconciler): as few writes as possible, at most 100 endpoints a slice. Pure.
 */
export function reconcileSlices(input: SliceInput): SliceChanges {
  const groups = desiredGroups(input);
  const changes = {
    create: [] as EndpointSlice[],
    update: [] as EndpointSlice[],
    delete: [] as EndpointSlice[],
  };
  const remaining = new Set(
    input.existing.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
  );
  for (const group of groups) {
    const mine = [...remaining].filter((slice) => samePorts(slice.ports ?? [], group.ports));
    for (const slice of mine) remaining.delete(slice);
    reconcileGroup(input.service, group, mine, changes);
  }
  changes.delete.push(...remaining);
  const timed = (slice: EndpointSlice): EndpointSlice => withTime(slice, input.triggerTime);
  return { ...changes, create: changes.create.map(timed), update: changes.update.map(timed) };
}

function withTime(slice: EndpointSlice, time: string | undefined): EndpointSlice {
  const { annotations: previous, ...metadata } = slice.metadata;
  const annotations = withTriggerTime(previous, time);
  const none = Object.keys(annotations).length === 0;
  return { ...slice, metadata: { ...metadata, ...(none ? {} : { annotations }) } };
}

function desiredGroups(input: SliceInput): PortGroup[] {
  const groups = new Map<string, PortGroup>();
  for (const pod of input.pods) {
    if (isPodFinished(pod) || podAddress(pod) === undefined) continue;
    const ports = endpointPorts(input.service, pod);
    const key = JSON.stringify(ports);
    let group = groups.get(key);
    if (group === undefined) {
      group = { ports, endpoints: new Map() };
      groups.set(key, group);
    }
    const endpoint = podEndpoint(input, pod);
    group.endpoints.set(endpointId(endpoint), endpoint);
  }
  const list = [...groups.values()];
  addHints(
    input.service,
    list.flatMap((group) => [...group.endpoints.values()]),
  );
  // A Service without endpoints keeps one empty slice: its absence would look like "not yet known".
  return list.length === 0 ? [{ ports: [], endpoints: new Map() }] : list;
}

function podAddress(pod: Pod): string | undefined {
  const ip =
    pod.status?.podIPs?.find(({ ip: text }) => !text.includes(':'))?.ip ?? pod.status?.podIP;
  return ip === undefined || ip === '' ? undefined : ip;
}

function podEndpoint({ service, node }: SliceInput, pod: Pod): SliceEndpoint {
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = endpointHostname(service, pod);
  const { nodeName } = pod.spec;
  const zone = nodeName === undefined ? undefined : node(nodeName)?.metadata.labels?.[ZONE_LABEL];
  return {
    addresses: [podAddress(pod) ?? ''],
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: {
      kind: 'Pod',
      name: pod.metadata.name ?? '',
      namespace: pod.metadata.namespace ?? '',
      uid: pod.metadata.uid ?? '',
    },
  };
}

/** Same pod at the same address: changes of the rest are updates in place. */
function endpointId(endpoint: SliceEndpoint): string {
  return `${endpoint.addresses[0]} ${endpoint.targetRef?.uid ?? ''}`;
}

function reconcileGroup(
  service: Service,
  group: PortGroup,
  slices: readonly EndpointSlice[],
  changes: { create: EndpointSlice[]; update: EndpointSlice[]; delete: EndpointSlice[] },
): void {
  const missing = new Map(group.endpoints);
  const kept = slices.map((slice) => {
    const endpoints: SliceEndpoint[] = [];
    for (const endpoint of slice.endpoints ?? []) {
      const id = endpointId(endpoint);
      const desired = missing.get(id);
      if (desired === undefined) continue;
      endpoints.push(desired);
      missing.delete(id);
    }
    return { slice, endpoints };
  });
  const added = [...missing.values()];
  // Fill the fullest slices first: few writes, and slices stay whole.
  for (const { endpoints } of kept.toSorted((a, b) => b.endpoints.length - a.endpoints.length))
    endpoints.push(...added.splice(0, MAX_PER_SLICE - endpoints.length));
  const empty = kept.filter(({ endpoints }) => endpoints.length === 0);
  const keepOneEmpty = group.endpoints.size === 0 ? empty[0] : undefined;
  for (const entry of kept) {
    if (entry.endpoints.length === 0 && entry !== keepOneEmpty) changes.delete.push(entry.slice);
    else {
      const next = withContent(service, entry.slice, entry.endpoints);
      if (!sameSlice(entry.slice, next)) changes.update.push(next);
    }
  }
  while (added.length > 0)
    changes.create.push(newSlice(service, group.ports, added.splice(0, MAX_PER_SLICE)));
  if (group.endpoints.size === 0 && kept.length === 0)
    changes.create.push(newSlice(service, group.ports, []));
}

function newSlice(
  service: Service,
  ports: readonly SlicePort[],
  endpoints: readonly SliceEndpoint[],
): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace ?? '',
      labels: sliceLabels(service),
      ownerReferences: [controllerReference(service)],
    },
    addressType: 'IPv4',
    endpoints: [...endpoints],
    ports: [...ports],
  };
}

function withContent(
  service: Service,
  slice: EndpointSlice,
  endpoints: readonly SliceEndpoint[],
): EndpointSlice {
  return {
    ...slice,
    metadata: { ...slice.metadata, labels: sliceLabels(service) },
    endpoints: [...endpoints],
  };
}

function sliceLabels(service: Service): Record<string, string> {
  return {
    ...service.metadata.labels,
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
    [SERVICE_NAME_LABEL]: service.metadata.name ?? '',
    [MANAGED_BY_LABEL]: SLICE_CONTROLLER,
  };
}

function samePorts(a: readonly SlicePort[], b: readonly SlicePort[]): boolean {
  return equalJson(a, b);
}

function sameSlice(a: EndpointSlice, b: EndpointSlice): boolean {
  return (
    equalJson(a.metadata.labels, b.metadata.labels) &&
    equalJson(a.endpoints ?? [], b.endpoints ?? [])
  );
}

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
import { distributionHints, wantsTopologyHints } from './endpoint-hints.ts';
import { packEndpoints, type SlicePlan } from './slice-packing.ts';
import { allocateHints, ZONE_LABEL } from './topology-hints.ts';
import { withTriggerTime } from './trigger-times.ts';
import { controllerReference, isPodFinished, isPodReady } from './pod-facts.ts';

export const SLICE_CONTROLLER = 'endpointslice-controller.k8s.io';
const HEADLESS_LABEL = 'service.kubernetes.io/headless';

export interface SliceChanges {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
  /** What became of hints in proportion to the zones: asked for and given, not possible, or not asked for. */
  readonly topology: TopologyState;
}

export type TopologyState =
  | { readonly kind: 'allocated' }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'off' };

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
 * What to do to a Service's EndpointSlices so that they say what its pods say (k8s.io/endpointslice, reconciler.go):
 * as few writes as possible, at most 100 endpoints a slice. Pure.
 */
export function reconcileSlices(input: SliceInput): SliceChanges {
  const packed = packGroups(input, desiredGroups(input));
  const { plan, topology } = withHints(input, packed);
  const timed = (slice: EndpointSlice): EndpointSlice => withTime(slice, input.triggerTime);
  return {
    create: plan.create.map(timed),
    update: plan.update.map(timed),
    delete: plan.delete,
    topology,
  };
}

function packGroups(input: SliceInput, groups: readonly PortGroup[]): SlicePlan {
  const { service } = input;
  const labels = sliceLabels(service);
  const plan: SlicePlan = { create: [], update: [], unchanged: [], delete: [] };
  const left = new Set(
    input.existing.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
  );
  const count = left.size;
  for (const { ports, endpoints } of groups) {
    const slices = [...left].filter((slice) => equalJson(slice.ports ?? [], ports));
    for (const slice of slices) left.delete(slice);
    const packed = packEndpoints({
      desired: endpoints,
      idOf: endpointId,
      slices,
      labels,
      newSlice: (list) => newSlice(service, ports, list),
    });
    plan.create.push(...packed.create);
    plan.update.push(...packed.update);
    plan.unchanged.push(...packed.unchanged);
    plan.delete.push(...packed.delete);
  }
  plan.delete.push(...left);
  if (groups.length === 0 && plan.delete.length === count) keepPlaceholder(service, plan);
  reuseSlices(plan);
  return plan;
}

/** A Service without endpoints keeps one empty slice: its absence would look like "not yet known". */
function keepPlaceholder(service: Service, plan: SlicePlan): void {
  const placeholder = newSlice(service, [], []);
  const [only] = plan.delete;
  const stands =
    plan.delete.length === 1 &&
    only !== undefined &&
    (only.endpoints ?? []).length === 0 &&
    (only.ports ?? []).length === 0 &&
    equalJson(only.metadata.labels, placeholder.metadata.labels);
  if (stands) plan.unchanged.push(...plan.delete.splice(0));
  else plan.create.push(placeholder);
}

/** One write instead of two: what would be made takes the place of what would go. */
function reuseSlices(plan: SlicePlan): void {
  while (plan.create.length > 0) {
    const old = plan.delete.pop();
    const [made] = old === undefined ? [] : plan.create.splice(0, 1);
    if (old === undefined || made === undefined) return;
    const { labels } = made.metadata;
    plan.update.push({
      ...made,
      metadata: { ...old.metadata, ...(labels === undefined ? {} : { labels }) },
    });
  }
}

function withHints(
  { service, nodes }: SliceInput,
  plan: SlicePlan,
): { readonly plan: SlicePlan; readonly topology: TopologyState } {
  if (!wantsTopologyHints(service))
    return { plan: distributionHints(service, plan), topology: { kind: 'off' } };
  const { plan: hinted, ...topology } = allocateHints(plan, nodes);
  return { plan: hinted, topology };
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
  return [...groups.values()];
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

function sliceLabels(service: Service): Record<string, string> {
  return {
    ...service.metadata.labels,
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
    [SERVICE_NAME_LABEL]: service.metadata.name ?? '',
    [MANAGED_BY_LABEL]: SLICE_CONTROLLER,
  };
}

import type { EndpointAddress, EndpointSubset, Pod, Service } from '../../api/types/core.ts';
import { endpointHostname, endpointPorts } from './endpoint-ports.ts';
import { isPodFinished, isPodReady } from './pod-facts.ts';

/** More addresses are left out, and the object says so (endpoints controller's maxCapacity). */
export const MAX_ADDRESSES = 1000;

interface Entry {
  readonly address: EndpointAddress;
  readonly ready: boolean;
}

/**
 * The subsets of a Service's Endpoints object (endpoints_controller.go, RepackSubsets): addresses with the
 * same ports together, ready and not ready apart, sorted. Pure.
 */
export function endpointSubsets(service: Service, pods: readonly Pod[]): EndpointSubset[] {
  const groups = new Map<string, { ports: EndpointSubset['ports']; entries: Entry[] }>();
  const publishAll = service.spec.publishNotReadyAddresses === true;
  for (const pod of pods) {
    const ip = pod.status?.podIP ?? '';
    if (ip === '' || isPodFinished(pod)) continue;
    if (pod.metadata.deletionTimestamp !== undefined && !publishAll) continue;
    const ports = endpointPorts(service, pod).map(({ name, ...port }) => ({
      ...(name === undefined || name === '' ? {} : { name }),
      ...port,
      port: port.port ?? 0,
    }));
    if (ports.length === 0 && (service.spec.ports ?? []).length > 0) continue;
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, entries: [] };
    groups.set(key, group);
    group.entries.push({
      address: addressOf(service, pod, ip),
      ready: publishAll || isPodReady(pod),
    });
  }
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => subsetOf(group));
}

export function countAddresses(subsets: readonly EndpointSubset[]): number {
  return subsets.reduce(
    (sum, { addresses = [], notReadyAddresses = [] }) =>
      sum + addresses.length + notReadyAddresses.length,
    0,
  );
}

/** The first {@link MAX_ADDRESSES}, ready ones first. */
export function truncateSubsets(subsets: readonly EndpointSubset[]): EndpointSubset[] {
  let left = MAX_ADDRESSES;
  const take = (list: EndpointAddress[] = []): EndpointAddress[] => {
    const taken = list.slice(0, left);
    left -= taken.length;
    return taken;
  };
  const ready = subsets.map((subset) => take(subset.addresses));
  return subsets
    .map((subset, index) => ({
      subset,
      addresses: ready[index] ?? [],
      notReadyAddresses: take(subset.notReadyAddresses),
    }))
    .filter(({ addresses, notReadyAddresses }) => addresses.length + notReadyAddresses.length > 0)
    .map(({ subset, addresses, notReadyAddresses }) => ({
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
      ...(subset.ports === undefined ? {} : { ports: subset.ports }),
    }));
}

function subsetOf(group: { ports: EndpointSubset['ports']; entries: Entry[] }): EndpointSubset {
  const sorted = group.entries.toSorted((a, b) => compareIps(a.address.ip, b.address.ip));
  const addresses = sorted.filter(({ ready }) => ready).map(({ address }) => address);
  const notReadyAddresses = sorted.filter(({ ready }) => !ready).map(({ address }) => address);
  return {
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
    ...(group.ports === undefined || group.ports.length === 0 ? {} : { ports: group.ports }),
  };
}

function addressOf(service: Service, pod: Pod, ip: string): EndpointAddress {
  const hostname = endpointHostname(service, pod);
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: {
      kind: 'Pod',
      namespace: pod.metadata.namespace ?? '',
      name: pod.metadata.name ?? '',
      uid: pod.metadata.uid ?? '',
    },
  };
}

function compareIps(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

import { parseIp } from '../../../base/ip.ts';
import { soaRecord } from '../../backend/backend-reply.ts';
import { RecordType } from '../../message/codes.ts';
import {
  addressRecord,
  nameRecord,
  resourceRecord,
  type ResourceRecord,
} from '../../message/message.ts';
import { fullyQualified, isReverseName, joinName } from '../../message/name.ts';
import type { Transferer } from '../../plugin/setup.ts';
import type { Lookup } from './find-records.ts';
import { nameServerAddresses } from './name-servers.ts';
import { NO_PORT, type PortView, type ServiceView, type SliceView } from './service-view.ts';

/** Services sorted by name are transferred with equal weights. */
const CLUSTER_IP_WEIGHT = 100;

/** Whole cluster zones (plugin/kubernetes/xfr.go). Pods and reverse zones are not transferred. */
export function kubernetesTransferer(lookup: Lookup): Transferer {
  return {
    zones: lookup.options.zones.filter((zone) => !isReverseName(zone)),
    transfer(zone) {
      const { view, options } = lookup;
      const soa = soaRecord({ zone, serial: view.serial, minimumSeconds: options.ttlSeconds });
      const servers = nameServerAddresses(lookup, zone);
      const names = [...new Set(servers.map(({ name }) => name))];
      const { ttlSeconds } = options;
      return [
        soa,
        ...names.map((name) => nameRecord(zone, RecordType.NS, ttlSeconds, name)),
        ...servers.map(({ name, address }) => addressRecord(name, ttlSeconds, address)),
        ...view.services
          .all()
          .filter(({ namespace }) => view.namespaceExposed(namespace))
          .flatMap((service) => serviceRecords(lookup, service, zone)),
        soa,
      ];
    },
  };
}

function serviceRecords(lookup: Lookup, service: ServiceView, zone: string): ResourceRecord[] {
  const { view, options } = lookup;
  const { ttlSeconds } = options;
  const base = joinName(`${service.name}.${service.namespace}.svc`, zone);
  switch (service.kind) {
    case 'externalName':
      // An address is no name to point at.
      if (service.externalName === '' || parseIp(service.externalName) !== undefined) return [];
      return [nameRecord(base, RecordType.CNAME, ttlSeconds, fullyQualified(service.externalName))];
    case 'clusterIP':
      return [
        ...service.clusterIPs.map((ip) => addressRecord(base, ttlSeconds, ip)),
        ...declared(service.ports).flatMap((port) => {
          const bare = srv(base, port, base, CLUSTER_IP_WEIGHT, ttlSeconds);
          return port.name === '' ? [bare] : [bare, { ...bare, name: portName(port, base) }];
        }),
      ];
    case 'headless':
      return view.services
        .slicesOf(service.namespace, service.name)
        .flatMap((slice) => sliceRecords(slice, base, ttlSeconds));
  }
}

function sliceRecords(slice: SliceView, base: string, ttlSeconds: number): ResourceRecord[] {
  const weight = Math.max(1, Math.floor(100 / Math.max(1, slice.addresses.length)));
  return slice.addresses.flatMap(({ ip, label }) => {
    const endpoint = `${label}.${base}`;
    return [
      addressRecord(base, ttlSeconds, ip),
      addressRecord(endpoint, ttlSeconds, ip),
      ...declared(slice.ports)
        .filter(({ name }) => name !== '')
        .map((port) => srv(portName(port, base), port, endpoint, weight, ttlSeconds)),
    ];
  });
}

function declared(ports: readonly PortView[]): PortView[] {
  return ports.filter(({ port }) => port !== NO_PORT);
}

function portName({ name, protocol }: PortView, base: string): string {
  return `_${name}._${protocol}.${base}`;
}

function srv(
  owner: string,
  { port }: PortView,
  target: string,
  weight: number,
  ttlSeconds: number,
): ResourceRecord {
  return resourceRecord(owner, RecordType.SRV, ttlSeconds, {
    kind: 'srv',
    priority: 0,
    weight,
    port,
    target,
  });
}

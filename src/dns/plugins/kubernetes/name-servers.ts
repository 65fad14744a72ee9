import { joinName } from '../../message/name.ts';
import type { Lookup } from './find-records.ts';

/** A name server of the zone and one of its addresses. */
export interface NameServer {
  readonly name: string;
  readonly address: string;
}

/**
 * Who serves the zone: the Services whose endpoints include this server's own addresses, else `ns.dns`
 * with those addresses (plugin/kubernetes/ns.go). `zone` in the letter case of the question.
 */
export function nameServerAddresses(lookup: Lookup, zone: string): NameServer[] {
  const { view, localAddresses } = lookup;
  const servers = localAddresses.flatMap((local) =>
    view.services.slicesWithIp(local).flatMap((slice): NameServer[] => {
      const service = view.services.get(slice.namespace, slice.service);
      if (service === undefined) return [];
      const name = joinName(`${service.name}.${service.namespace}.svc`, zone);
      return service.kind === 'headless'
        ? slice.addresses.map(({ ip, label }) => ({ name: `${label}.${name}`, address: ip }))
        : service.clusterIPs.map((address) => ({ name, address }));
    }),
  );
  if (servers.length > 0) return uniqueServers(servers);
  return localAddresses.map((address) => ({ name: joinName('ns.dns', zone), address }));
}

function uniqueServers(servers: readonly NameServer[]): NameServer[] {
  return [
    ...new Map(servers.map((server) => [`${server.name} ${server.address}`, server])).values(),
  ];
}

import { matchingZone } from '../../message/name.ts';
import type { DnsRequest } from '../../plugin/plugin.ts';
import type { Lookup } from './find-records.ts';
import { parseClusterName } from './parse-name.ts';

/** What the plugin knows of a query: who asked, and which parts its name has (kubernetes/…). */
export function describeQuery({ view, options }: Lookup, request: DnsRequest): void {
  const { metadata, peer, name } = request;
  const set = (label: string, value: string | undefined): void => {
    metadata.set(`kubernetes/${label}`, () => value ?? '');
  };
  if (options.pods === 'verified') {
    const [pod] = view.podsByIp(peer.address);
    set('client-namespace', pod?.namespace);
    set('client-pod-name', pod?.name);
  }
  const zone = matchingZone(options.zones, name);
  if (zone === undefined) return;
  const multicluster = options.multiclusterZones.includes(zone);
  const parsed = parseClusterName(name, zone, { multicluster, zonal: options.zonal });
  switch (parsed.kind) {
    case 'invalid':
      set('parse-error', 'invalid query name');
      break;
    case 'pod':
      set('kind', 'pod');
      set('namespace', parsed.namespace);
      set('service', parsed.pod);
      break;
    case 'service':
      set('kind', 'svc');
      set('namespace', parsed.namespace);
      set('service', parsed.service);
      set('endpoint', parsed.endpoint);
      set('port-name', parsed.port);
      set('protocol', parsed.protocol);
      break;
    case 'node':
    case 'namespace':
      break;
  }
}

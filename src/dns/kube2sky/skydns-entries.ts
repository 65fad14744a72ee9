import { createHash } from 'node:crypto';
import type { Service } from '../../api/types/core.ts';
import type { EndpointSlice } from '../../api/types/discovery.ts';

/**
 * Where kube2sky puts Services below `/skydns/<domain reversed>`. `flat` is that of the first releases
 * (`NS/SVC`), `svc` the later one (`svc/NS/SVC/HASH`), with ports and endpoints.
 */
export type Kube2skyLayout = 'flat' | 'svc';

export interface SkydnsEntry {
  readonly key: string;
  /** A SkyDNS message as JSON. */
  readonly value: string;
}

const PRIORITY = 10;
const WEIGHT = 10;
const TTL_SECONDS = 30;

export interface EntryRules {
  readonly layout: Kube2skyLayout;
  /** Cluster domain, e.g. `cinyi.com`. */
  readonly domain: string;
}

/** What a Service looks like in etcd. Headless ones have an entry for each ready endpoint. */
export function entriesOfService(
  service: Service,
  slices: readonly EndpointSlice[],
  rules: EntryRules,
): SkydnsEntry[] {
  const { name = '', namespace = 'default' } = service.metadata;
  const { clusterIP, type, externalName, ports = [] } = service.spec;
  const branch = rules.layout === 'svc' ? ['svc', namespace, name] : [namespace, name];
  const path = `/skydns/${rules.domain.split('.').toReversed().join('/')}/${branch.join('/')}`;
  if (type === 'ExternalName')
    return externalName === undefined ? [] : [entry(path, { host: externalName })];
  if (clusterIP === undefined || clusterIP === '') return [];
  if (clusterIP !== 'None') return clusterIpEntries(path, clusterIP, ports, rules);
  return endpointsOf(slices).map(({ ip, hostname }) => {
    const message = { host: ip };
    return entry(`${path}/${hostname ?? hashOf(message)}`, message);
  });
}

function clusterIpEntries(
  path: string,
  host: string,
  ports: readonly { name?: string; port: number; protocol?: string }[],
  { layout, domain }: EntryRules,
): SkydnsEntry[] {
  // The first releases knew one record for each Service and no ports.
  if (layout === 'flat') return [entry(path, { host })];
  const [name = '', namespace = ''] = path.split('/').toReversed();
  const own = `${name}.${namespace}.svc.${domain}`;
  const named = ports.filter((port) => (port.name ?? '') !== '');
  return [
    entry(`${path}/${hashOf({ host })}`, { host }),
    ...named.map(({ name: portName = '', protocol = 'TCP', port }) => {
      const message = { host: own, port };
      const below = `_${protocol.toLowerCase()}/_${portName}/${hashOf(message)}`;
      return entry(`${path}/${below}`, message);
    }),
  ];
}

function endpointsOf(slices: readonly EndpointSlice[]): { ip: string; hostname?: string }[] {
  return slices.flatMap((slice) =>
    (slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.ready !== false)
      .flatMap(({ addresses, hostname }) =>
        addresses.map((ip) => ({ ip, ...(hostname === undefined ? {} : { hostname }) })),
      ),
  );
}

function entry(key: string, message: { host: string; port?: number }): SkydnsEntry {
  return { key, value: messageText(message) };
}

/** Fields in the order Go's encoding of the struct has them. */
function messageText({ host, port }: { host: string; port?: number }): string {
  return JSON.stringify({
    host,
    ...(port === undefined ? {} : { port }),
    priority: PRIORITY,
    weight: WEIGHT,
    ttl: TTL_SECONDS,
    targetstrip: 0,
  });
}

/** Eight hexadecimal digits of the message: the same entry gets the same key again. */
function hashOf(message: { host: string; port?: number }): string {
  return createHash('sha1').update(messageText(message)).digest('hex').slice(0, 8);
}

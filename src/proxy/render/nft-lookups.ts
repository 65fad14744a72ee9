import type { IpFamilyName } from '../../api/types/core.ts';
import type { Frontend, ServicePort } from '../../services/routing-table.ts';
import { formatServicePortName } from '../../services/service-port-name.ts';
import { nftServiceChain } from '../modes/nftables-names.ts';
import type { NodeView } from '../node-context.ts';
import { inAddressOrder, inElementOrder, type KeyedElement } from './nft-order.ts';
import type { NftTable } from './nft-table.ts';

/** Elements of the sets and maps that nftables mode looks flows up in. */
export interface Lookups {
  readonly clusterIPs: Set<string>;
  readonly serviceIPs: KeyedElement[];
  readonly serviceNodePorts: KeyedElement[];
  readonly noEndpointServices: KeyedElement[];
  readonly noEndpointNodePorts: KeyedElement[];
  readonly firewallIPs: KeyedElement[];
}

export function noLookups(): Lookups {
  return {
    clusterIPs: new Set(),
    serviceIPs: [],
    serviceNodePorts: [],
    noEndpointServices: [],
    noEndpointNodePorts: [],
    firewallIPs: [],
  };
}

export function addLookups(servicePort: ServicePort, lookups: Lookups): void {
  const { info } = servicePort;
  lookups.clusterIPs.add(info.clusterIP);
  const guarded = info.loadBalancerSourceRanges.length > 0;
  for (const frontend of servicePort.frontends) {
    const isNodePort = frontend.address === undefined;
    const target = targetOf(servicePort, frontend);
    if (target !== undefined)
      (isNodePort ? lookups.serviceNodePorts : lookups.serviceIPs).push(
        element(frontend, `goto ${target}`),
      );
    const refusal = refusalOf(servicePort, frontend);
    if (refusal !== undefined)
      (isNodePort ? lookups.noEndpointNodePorts : lookups.noEndpointServices).push(
        element(frontend, refusal, formatServicePortName(info.name)),
      );
    if (guarded && frontend.kind === 'loadBalancer')
      lookups.firewallIPs.push(element(frontend, `goto ${nftServiceChain('firewall', info.name)}`));
  }
}

/** Adds the sets and maps, all of which are there even when empty. */
export function addSets(
  nft: NftTable,
  view: NodeView,
  family: IpFamilyName,
  lookups: Lookups,
): void {
  const address = family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';
  const byAddress = `${address} . inet_proto . inet_service : verdict`;
  const byPort = 'inet_proto . inet_service : verdict';
  const map = (
    name: string,
    type: string,
    comment: string,
    elements: readonly KeyedElement[],
  ): void => nft.set({ kind: 'map', name, type, comment, elements: inElementOrder(elements) });
  nft.set({
    kind: 'set',
    name: 'cluster-ips',
    type: address,
    comment: 'Active ClusterIPs',
    elements: inAddressOrder([...lookups.clusterIPs]),
  });
  if (!view.servesAllNodeAddresses(family))
    nft.set({
      kind: 'set',
      name: 'nodeport-ips',
      type: address,
      comment: 'IPs that accept NodePort traffic',
      elements: inAddressOrder(view.nodePortAddresses(family)),
    });
  map(
    'no-endpoint-services',
    byAddress,
    'vmap to drop or reject packets to services with no endpoints',
    lookups.noEndpointServices,
  );
  map(
    'no-endpoint-nodeports',
    byPort,
    'vmap to drop or reject packets to service nodeports with no endpoints',
    lookups.noEndpointNodePorts,
  );
  map(
    'firewall-ips',
    byAddress,
    'destinations that are subject to LoadBalancerSourceRanges',
    lookups.firewallIPs,
  );
  map(
    'service-ips',
    byAddress,
    'ClusterIP, ExternalIP and LoadBalancer IP traffic',
    lookups.serviceIPs,
  );
  map('service-nodeports', byPort, 'NodePort traffic', lookups.serviceNodePorts);
}

function element(frontend: Frontend, verdict: string, comment?: string): KeyedElement {
  const { address, protocol, port } = frontend;
  const key = `${protocol.toLowerCase()} . ${port}`;
  const note = comment === undefined ? '' : ` comment "${comment}"`;
  const full = address === undefined ? key : `${address} . ${key}`;
  return { address, protocol, port, text: `${full}${note} : ${verdict}` };
}

function targetOf({ info, categories }: ServicePort, frontend: Frontend): string | undefined {
  if (!categories.hasAny) return undefined;
  if (frontend.kind !== 'clusterIP') return nftServiceChain('external', info.name);
  if (!info.internalPolicyLocal) return nftServiceChain('service', info.name);
  return categories.local.length > 0 ? nftServiceChain('local', info.name) : undefined;
}

function refusalOf({ info, categories }: ServicePort, frontend: Frontend): string | undefined {
  if (!categories.hasAny) return 'goto reject-chain';
  const local = frontend.kind === 'clusterIP' ? info.internalPolicyLocal : info.externalPolicyLocal;
  return local && categories.local.length === 0 ? 'drop' : undefined;
}

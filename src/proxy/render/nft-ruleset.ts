import type { IpFamilyName } from '../../api/types/core.ts';
import { cidrContains, formatCidr, formatHostPort, parseIp } from '../../base/ip.ts';
import type { Endpoint } from '../../services/endpoint.ts';
import type { RoutingTable, ServicePort } from '../../services/routing-table.ts';
import { NFTABLES_NODE_PORTS } from '../modes/nftables-mode.ts';
import {
  nftEndpointName,
  type NftServiceChainKind,
  nftServiceChain,
} from '../modes/nftables-names.ts';
import { type NodeContext, NodeView } from '../node-context.ts';
import { addLookups, addSets, noLookups } from './nft-lookups.ts';
import { addressSet, hostCidr } from './nft-address-set.ts';
import { nftSkeleton } from './nft-skeleton.ts';
import type { NftTable } from './nft-table.ts';

/** What `nft list ruleset` shows of kube-proxy's nftables mode: a table for each family. */
export function renderNftRuleset(
  table: RoutingTable,
  context: NodeContext,
  families: readonly IpFamilyName[] = ['IPv4'],
): string {
  return families.map((family) => nftRules(table, context, family).render()).join('');
}

/** The rules of one family (syncProxyRules of pkg/proxy/nftables). */
function nftRules(table: RoutingTable, context: NodeContext, family: IpFamilyName): NftTable {
  const view = new NodeView(context, NFTABLES_NODE_PORTS);
  const nft = nftSkeleton(view, family);
  const lookups = noLookups();
  const servicePorts = [...table.servicePorts.values()]
    .filter(({ info }) => info.family === family)
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  for (const servicePort of servicePorts) addLookups(servicePort, lookups);
  addSets(nft, view, family, lookups);
  for (const servicePort of servicePorts) new ServiceChains(nft, servicePort, view).write();
  return nft;
}

/** The chains of one service port. */
class ServiceChains {
  readonly #nft: NftTable;
  readonly #port: ServicePort;
  readonly #view: NodeView;
  readonly #ip: 'ip' | 'ip6';

  constructor(nft: NftTable, port: ServicePort, view: NodeView) {
    this.#nft = nft;
    this.#port = port;
    this.#view = view;
    this.#ip = port.info.family === 'IPv4' ? 'ip' : 'ip6';
  }

  write(): void {
    const { info, categories } = this.#port;
    if (info.loadBalancerVIPs.length > 0 && info.loadBalancerSourceRanges.length > 0)
      this.#writeFirewall();
    if (!categories.hasAny) return;
    if (categories.cluster.length > 0) this.#writeService('service', categories.cluster);
    if (categories.local.length > 0) this.#writeService('local', categories.local);
    if (info.externallyAccessible) this.#writeExternal();
    const endpoints = new Map(
      [...categories.cluster, ...categories.local].map((one) => [one.key, one]),
    );
    for (const endpoint of endpoints.values()) this.#writeEndpoint(endpoint);
  }

  #chain(kind: NftServiceChainKind): string {
    return nftServiceChain(kind, this.#port.info.name);
  }

  #name(kind: 'endpoint' | 'affinity', endpoint: Endpoint): string {
    return nftEndpointName(kind, this.#port.info.name, endpoint);
  }

  #writeService(kind: 'service' | 'local', endpoints: readonly Endpoint[]): void {
    const { info } = this.#port;
    const chain = this.#chain(kind);
    this.#nft.chain(chain);
    if ((kind === 'local') === info.internalPolicyLocal) this.#writeInternalMasquerade(chain);
    if (info.affinityTimeoutSeconds > 0)
      for (const endpoint of endpoints)
        this.#nft.rule(
          chain,
          `${this.#ip} saddr @${this.#name('affinity', endpoint)}`,
          `goto ${this.#name('endpoint', endpoint)}`,
        );
    const targets = endpoints.map(
      (endpoint, index) => `${index} : goto ${this.#name('endpoint', endpoint)}`,
    );
    this.#nft.rule(chain, `numgen random mod ${endpoints.length} vmap { ${targets.join(', ')} }`);
  }

  #writeInternalMasquerade(chain: string): void {
    const to = `${this.#ip} daddr ${this.#port.info.clusterIP}`;
    if (this.#view.context.masqueradeAll) this.#nft.rule(chain, to, 'jump mark-for-masquerade');
    else
      for (const { notFrom } of this.#pods())
        this.#nft.rule(chain, to, notFrom, 'jump mark-for-masquerade');
  }

  #writeExternal(): void {
    const { info, categories } = this.#port;
    const chain = this.#chain('external');
    this.#nft.chain(chain);
    if (!info.externalPolicyLocal) {
      this.#nft.rule(chain, 'jump mark-for-masquerade');
      this.#nft.rule(chain, `goto ${this.#chain('service')}`);
      return;
    }
    const service = `goto ${this.#chain('service')}`;
    for (const { from } of this.#pods())
      this.#nft.rule(chain, from, service, 'comment "short-circuit pod traffic"');
    const local = 'fib saddr type local';
    this.#nft.rule(chain, local, 'jump mark-for-masquerade comment "masquerade local traffic"');
    this.#nft.rule(chain, local, service, 'comment "short-circuit local traffic"');
    if (categories.local.length > 0) this.#nft.rule(chain, `goto ${this.#chain('local')}`);
  }

  #writeFirewall(): void {
    const { info } = this.#port;
    const ranges = info.loadBalancerSourceRanges;
    const node = parseIp(this.#view.primaryIP(info.family) ?? '');
    const allowsNode = node !== undefined && ranges.some((cidr) => cidrContains(cidr, node));
    const vips = allowsNode ? info.loadBalancerVIPs.flatMap((address) => hostCidr(address)) : [];
    this.#nft.rule(
      this.#chain('firewall'),
      `${this.#ip} saddr != ${addressSet([...ranges, ...vips])} drop`,
    );
  }

  #writeEndpoint(endpoint: Endpoint): void {
    const { info } = this.#port;
    const chain = this.#name('endpoint', endpoint);
    this.#nft.rule(chain, `${this.#ip} saddr ${endpoint.address} jump mark-for-masquerade`);
    if (info.affinityTimeoutSeconds > 0) {
      const set = this.#name('affinity', endpoint);
      this.#nft.rule(chain, `update @${set} { ${this.#ip} saddr }`);
      this.#nft.set({
        kind: 'set',
        name: set,
        type: info.family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr',
        properties: [
          'size 65535',
          'flags dynamic,timeout',
          `timeout ${formatTimeout(info.affinityTimeoutSeconds)}`,
        ],
        elements: [],
      });
    }
    const target = formatHostPort(endpoint.address, endpoint.port);
    this.#nft.rule(chain, `meta l4proto ${info.protocol.toLowerCase()} dnat to ${target}`);
  }

  /** What matches packets of pods, and what matches all others; none without a detector. */
  #pods(): { readonly from: string; readonly notFrom: string }[] {
    const detector = this.#view.context.detectLocal;
    if (detector?.interfaceName !== undefined) {
      const wildcard = detector.mode === 'InterfaceNamePrefix' ? '*' : '';
      const name = `"${detector.interfaceName}${wildcard}"`;
      return [{ from: `iifname ${name}`, notFrom: `iifname != ${name}` }];
    }
    return (detector?.cidrs ?? [])
      .filter(({ family }) => family === this.#port.info.family)
      .map(formatCidr)
      .map((block) => ({
        from: `${this.#ip} saddr ${block}`,
        notFrom: `${this.#ip} saddr != ${block}`,
      }));
  }
}

/** nft's spelling of durations: `3h`, `1m30s`. */
function formatTimeout(seconds: number): string {
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ] as const;
  let left = seconds;
  let text = '';
  for (const [size, letter] of units) {
    const count = Math.floor(left / size);
    if (count > 0) text += `${count}${letter}`;
    left -= count * size;
  }
  return text;
}

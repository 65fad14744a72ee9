import { cidrContains, parseIp } from '../../base/ip.ts';
import type { IpFamilyName } from '../../api/types/core.ts';
import type { Endpoint } from '../../services/endpoint.ts';
import type { Frontend, RoutingTable, ServicePort } from '../../services/routing-table.ts';
import { formatServicePortName } from '../../services/service-port-name.ts';
import { endpointChain, type ServiceChainKind, serviceChain } from '../modes/chain-names.ts';
import { IPTABLES_NODE_PORTS } from '../modes/iptables-mode.ts';
import { familyOf, type NodeContext, NodeView } from '../node-context.ts';
import { iptablesSkeleton } from './iptables-skeleton.ts';
import type { IptablesTables } from './iptables-tables.ts';
import {
  comment,
  fromAddress,
  fromCidr,
  FROM_LOCAL,
  MARK_MASQ,
  podMatches,
  recentMatch,
  statisticMatch,
  toAddress,
  toFrontend,
  TO_LOCAL,
} from './rule-parts.ts';

/** Above so many endpoints in total, comments that only people read are left out. */
const LARGE_CLUSTER_ENDPOINTS = 1000;

/** The rules that kube-proxy's iptables mode has for a table, in one family (syncProxyRules). */
export function iptablesRules(
  table: RoutingTable,
  context: NodeContext,
  family: IpFamilyName = 'IPv4',
): IptablesTables {
  const servicePorts = [...table.servicePorts.values()]
    .filter(({ info }) => info.family === family)
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const endpoints = servicePorts.reduce((sum, port) => sum + port.endpoints.length, 0);
  const view = new NodeView(context, IPTABLES_NODE_PORTS);
  const tables = iptablesSkeleton({
    ipv6: family === 'IPv6',
    localhostNodePorts: context.localhostNodePorts,
  });
  for (const servicePort of servicePorts)
    new ServicePortRules(tables, servicePort, view, {
      ipv6: family === 'IPv6',
      comments: endpoints <= LARGE_CLUSTER_ENDPOINTS,
    }).write();
  writeHealthChecks(tables, servicePorts);
  writeNodePortJumps(tables, view, family);
  return tables;
}

interface WriteOptions {
  readonly ipv6: boolean;
  readonly comments: boolean;
}

/** The rules of one service port. */
class ServicePortRules {
  readonly #tables: IptablesTables;
  readonly #port: ServicePort;
  readonly #view: NodeView;
  readonly #options: WriteOptions;
  readonly #name: string;

  constructor(tables: IptablesTables, port: ServicePort, view: NodeView, options: WriteOptions) {
    this.#tables = tables;
    this.#port = port;
    this.#view = view;
    this.#options = options;
    this.#name = formatServicePortName(port.info.name);
  }

  write(): void {
    const { info, categories } = this.#port;
    for (const frontend of this.#port.frontends)
      if (frontend.kind === 'clusterIP') this.#captureInternal(frontend);
      else this.#captureExternal(frontend);
    if (!categories.hasAny) return;
    if (info.externallyAccessible) this.#writeExternal();
    if (this.#usesFirewall()) this.#writeFirewall();
    if (categories.cluster.length > 0 && info.usesClusterEndpoints) this.#writeSplit('SVC');
    if (categories.local.length > 0 && info.usesLocalEndpoints) this.#writeSplit('SVL');
    this.#writeEndpoints();
  }

  #chain(kind: ServiceChainKind): string {
    return serviceChain(kind, this.#port.info.name);
  }

  #usesFirewall(): boolean {
    const { info, categories } = this.#port;
    return (
      categories.hasAny &&
      info.loadBalancerVIPs.length > 0 &&
      info.loadBalancerSourceRanges.length > 0
    );
  }

  #policyChain(local: boolean): string {
    return this.#chain(local ? 'SVL' : 'SVC');
  }

  #captureInternal(frontend: Frontend): void {
    const { info, categories } = this.#port;
    const { nat, filter } = this.#tables;
    const usable =
      categories.hasAny && !(info.internalPolicyLocal && categories.local.length === 0);
    if (!usable) {
      filter.append('KUBE-SERVICES', ...this.#refuse(frontend));
      return;
    }
    const chain = this.#policyChain(info.internalPolicyLocal);
    const match = toFrontend(frontend, `${this.#name} cluster IP`);
    nat.append('KUBE-SERVICES', ...match, `-j ${chain}`);
    if (this.#view.context.masqueradeAll) nat.append(chain, ...match, MARK_MASQ);
    // iptables-save puts interfaces behind addresses.
    else
      for (const { notFrom } of this.#pods())
        nat.append(chain, ...inOrder(notFrom, match), MARK_MASQ);
  }

  #captureExternal(frontend: Frontend): void {
    const { info, categories } = this.#port;
    const { nat, filter } = this.#tables;
    const isPort = frontend.kind === 'nodePort';
    const guarded = frontend.kind === 'loadBalancer' && this.#usesFirewall();
    if (categories.hasAny) {
      const what = { externalIP: ' external IP', loadBalancer: ' loadbalancer IP', nodePort: '' };
      const text = this.#name + what[frontend.kind as keyof typeof what];
      const target = this.#chain(guarded ? 'FW' : 'EXT');
      nat.append(
        isPort ? 'KUBE-NODEPORTS' : 'KUBE-SERVICES',
        ...toFrontend(frontend, text),
        `-j ${target}`,
      );
    }
    if (guarded)
      filter.append(
        'KUBE-PROXY-FIREWALL',
        ...toFrontend(frontend, `${this.#name} traffic not accepted by ${this.#chain('FW')}`),
        '-j DROP',
      );
    if (!categories.hasAny || (info.externalPolicyLocal && categories.local.length === 0))
      filter.append('KUBE-EXTERNAL-SERVICES', ...this.#refuse(frontend));
  }

  /** Without endpoints anywhere the client is told; with some elsewhere its packets vanish. */
  #refuse(frontend: Frontend): string[] {
    const { hasAny } = this.#port.categories;
    const text = `${this.#name} has no ${hasAny ? 'local ' : ''}endpoints`;
    const [first = '', ...rest] = toFrontend(frontend, text);
    const icmp = this.#options.ipv6 ? 'icmp6-port-unreachable' : 'icmp-port-unreachable';
    const target = hasAny ? '-j DROP' : `-j REJECT --reject-with ${icmp}`;
    if (frontend.address !== undefined) return [first, ...rest, target];
    return [first, ...rest.slice(0, 1), TO_LOCAL, ...rest.slice(1), target];
  }

  #writeExternal(): void {
    const { info, categories } = this.#port;
    const { nat } = this.#tables;
    const chain = this.#chain('EXT');
    nat.chain(chain);
    if (info.externalPolicyLocal) {
      for (const { from } of this.#pods())
        nat.append(
          chain,
          from,
          comment(`pod traffic for ${this.#name} external destinations`),
          `-j ${this.#chain('SVC')}`,
        );
      const masquerade = `masquerade LOCAL traffic for ${this.#name} external destinations`;
      nat.append(chain, comment(masquerade), FROM_LOCAL, MARK_MASQ);
      const route = `route LOCAL traffic for ${this.#name} external destinations`;
      nat.append(chain, comment(route), FROM_LOCAL, `-j ${this.#chain('SVC')}`);
      if (categories.local.length > 0) nat.append(chain, `-j ${this.#chain('SVL')}`);
      return;
    }
    nat.append(
      chain,
      comment(`masquerade traffic for ${this.#name} external destinations`),
      MARK_MASQ,
    );
    nat.append(chain, `-j ${this.#chain('SVC')}`);
  }

  #writeFirewall(): void {
    const { info } = this.#port;
    const { nat } = this.#tables;
    const chain = this.#chain('FW');
    const text = comment(`${this.#name} loadbalancer IP`);
    for (const range of info.loadBalancerSourceRanges)
      nat.append(chain, fromCidr(range), text, `-j ${this.#chain('EXT')}`);
    const node = parseIp(this.#view.primaryIP(info.family) ?? '');
    const allowsNode =
      node !== undefined && info.loadBalancerSourceRanges.some((cidr) => cidrContains(cidr, node));
    if (allowsNode)
      for (const address of info.loadBalancerVIPs)
        nat.append(chain, fromAddress(address), text, `-j ${this.#chain('EXT')}`);
    nat.append(
      chain,
      comment(`other traffic to ${this.#name} will be dropped by KUBE-PROXY-FIREWALL`),
    );
  }

  #writeSplit(kind: 'SVC' | 'SVL'): void {
    const { info, categories } = this.#port;
    const { nat } = this.#tables;
    const endpoints = kind === 'SVC' ? categories.cluster : categories.local;
    const chain = this.#chain(kind);
    if (info.affinityTimeoutSeconds > 0)
      for (const endpoint of endpoints) {
        const list = endpointChain(info.name, endpoint.key);
        const { ipv6 } = this.#options;
        const match = recentMatch('--rcheck', list, { seconds: info.affinityTimeoutSeconds, ipv6 });
        nat.append(chain, ...this.#towards(endpoint), match, `-j ${list}`);
      }
    endpoints.forEach((endpoint, index) => {
      const left = endpoints.length - index;
      nat.append(
        chain,
        ...this.#towards(endpoint),
        ...(left > 1 ? [statisticMatch(left)] : []),
        `-j ${endpointChain(info.name, endpoint.key)}`,
      );
    });
  }

  #writeEndpoints(): void {
    const { info, categories } = this.#port;
    const { nat } = this.#tables;
    const { ipv6 } = this.#options;
    const protocol = info.protocol.toLowerCase();
    const text = this.#options.comments ? [comment(this.#name)] : [];
    for (const endpoint of reachable(categories.cluster, categories.local)) {
      const chain = endpointChain(info.name, endpoint.key);
      nat.append(chain, fromAddress(endpoint.address), ...text, MARK_MASQ);
      const affinity =
        info.affinityTimeoutSeconds > 0 ? [recentMatch('--set', chain, { ipv6 })] : [];
      nat.append(
        chain,
        `-p ${protocol}`,
        ...text,
        ...affinity,
        `-m ${protocol} -j DNAT --to-destination ${endpoint.key}`,
      );
    }
  }

  #towards(endpoint: Endpoint): string[] {
    return this.#options.comments ? [comment(`${this.#name} -> ${endpoint.key}`)] : [];
  }

  #pods(): ReturnType<typeof podMatches> {
    return podMatches(this.#view.context.detectLocal, this.#port.info.family);
  }
}

/** A match on the sender before one on a frontend, but an interface behind the frontend's address. */
function inOrder(sender: string, [address = '', ...rest]: readonly string[]): string[] {
  return sender.includes('-i ') ? [address, sender, ...rest] : [sender, address, ...rest];
}

function reachable(cluster: readonly Endpoint[], local: readonly Endpoint[]): Endpoint[] {
  const byKey = new Map([...cluster, ...local].map((endpoint) => [endpoint.key, endpoint]));
  return [...byKey.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

function writeHealthChecks({ filter }: IptablesTables, ports: readonly ServicePort[]): void {
  for (const { info } of ports) {
    if (info.healthCheckNodePort === 0) continue;
    filter.append(
      'KUBE-NODEPORTS',
      '-p tcp',
      comment(`${formatServicePortName(info.name)} health check node port`),
      `-m tcp --dport ${info.healthCheckNodePort} -j ACCEPT`,
    );
  }
}

/** Last in KUBE-SERVICES, so that Service addresses come first. */
function writeNodePortJumps({ nat }: IptablesTables, view: NodeView, family: IpFamilyName): void {
  const text = comment(
    'kubernetes service nodeports; NOTE: this must be the last rule in this chain',
  );
  if (view.servesAllNodeAddresses(family)) {
    const loopback = family === 'IPv4' ? '! -d 127.0.0.0/8' : '! -d ::1/128';
    const open = view.servesLocalhost(family);
    nat.append('KUBE-SERVICES', ...(open ? [] : [loopback]), text, TO_LOCAL, '-j KUBE-NODEPORTS');
    return;
  }
  for (const address of view.nodePortAddresses(family))
    if (familyOf(address) === family)
      nat.append('KUBE-SERVICES', toAddress(address), text, '-j KUBE-NODEPORTS');
}

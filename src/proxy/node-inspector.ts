import type { IpFamilyName } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import type { RoutingTable, ServicePort } from '../services/routing-table.ts';
import { conntrackEntries } from './conntrack-entries.ts';
import type { Ipvs } from './ipvs/ipvs.ts';
import type { ConnectionListing, ServiceListing } from './ipvs/listing.ts';
import { IPVS_NODE_PORTS, IpvsMode } from './modes/ipvs-mode.ts';
import type { PerServiceMode } from './modes/per-service-mode.ts';
import { UserspaceMode } from './modes/userspace-mode.ts';
import { type NodeContext, NodeView } from './node-context.ts';
import type { Proxier } from './proxier.ts';
import type { ProxyModeName } from './proxy-mode.ts';
import type { CountedTable, RuleCounts } from './rule-metrics.ts';
import type { ConntrackEntry } from './render/conntrack.ts';
import type { Ipset } from './render/ipset.ts';
import { ipvsIpsets, listIpsets } from './render/ipvs-ipsets.ts';
import { ipvsRules } from './render/ipvs-rules.ts';
import type { IptablesTables } from './render/iptables-tables.ts';
import { iptablesRules } from './render/iptables-rules.ts';
import { renderNftRuleset } from './render/nft-ruleset.ts';
import { userspaceRules } from './render/userspace-rules.ts';

const FAMILIES = ['IPv4', 'IPv6'] as const;

/** Modes that write iptables rules. */
const IPTABLES_WRITERS = ['iptables', 'ipvs', 'userspace'] as const;

type Counts = Readonly<Record<CountedTable, RuleCounts>>;
type IptablesWriter = (typeof IPTABLES_WRITERS)[number];

/**
 * What administrators' tools find on the node of one proxy. Made from its routing table, director and connections
 * whenever asked. A mode is there when it is the node's own or a Service's by annotation, with the rules of its Services only.
 */
export class NodeInspector {
  readonly #proxier: Proxier;
  readonly #mode: PerServiceMode;
  readonly #context: NodeContext;
  readonly #clock: Clock;
  /** Writing the rules of a large cluster takes a while, and metrics are read often. */
  #counted: { readonly table: RoutingTable; readonly counts: Counts } | undefined;

  constructor(options: {
    readonly proxier: Proxier;
    readonly mode: PerServiceMode;
    readonly context: NodeContext;
    readonly clock: Clock;
  }) {
    this.#proxier = options.proxier;
    this.#mode = options.mode;
    this.#context = options.context;
    this.#clock = options.clock;
  }

  /** What the comments of `iptables-save` say. */
  get date(): Date {
    return new Date(this.#clock.wallNow());
  }

  /** Undefined when no mode here writes any. Where several do, their rules stand behind each other, the node's own first. */
  iptables(family: IpFamilyName): IptablesTables | undefined {
    const own = this.#mode.name;
    const present = IPTABLES_WRITERS.filter((name) => this.#isPresent(name));
    const [first, ...rest] = present.toSorted((a, b) => Number(b === own) - Number(a === own));
    if (first === undefined) return undefined;
    const tables = this.#iptablesOf(first, family);
    for (const name of rest) {
      const more = this.#iptablesOf(name, family);
      for (const table of ['mangle', 'nat', 'filter'] as const) tables[table].join(more[table]);
    }
    return tables;
  }

  /**
   * Of iptables mode in IPv4, without the jumps from built-in chains, as kube-proxy counts them. A partial sync writes
   * the chains that all Services share and those of the Services that changed.
   */
  countIptables(): Counts {
    const { table } = this.#proxier;
    if (this.#counted?.table === table) return this.#counted.counts;
    const all = this.#iptablesOf('iptables', 'IPv4');
    const changed = this.#proxier.lastChanged;
    const written =
      changed === 'all' ? all : iptablesRules(this.#only(changed), this.#context, 'IPv4');
    const count = (name: CountedTable): RuleCounts => ({
      total: all[name].countRules(isOwn),
      last: all[name].countRules(isShared) + written[name].countRules(isOfOneService),
    });
    const counts = { nat: count('nat'), filter: count('filter') };
    this.#counted = { table, counts };
    return counts;
  }

  /** As `nft list ruleset` prints it; empty without nftables mode. */
  nftRuleset(): string {
    if (!this.#isPresent('nftables')) return '';
    const families = FAMILIES.filter((family) => this.#hasFamily(family));
    return renderNftRuleset(this.#tableOf('nftables'), this.#context, families);
  }

  /** Of every family that the node has an address of; none without ipvs mode. */
  ipsets(): Ipset[] {
    if (!this.#isPresent('ipvs')) return [];
    const view = new NodeView(this.#context, IPVS_NODE_PORTS);
    const table = this.#tableOf('ipvs');
    return FAMILIES.filter((family) => this.#hasFamily(family)).flatMap((family) =>
      listIpsets(ipvsIpsets(table, view, family), family),
    );
  }

  virtualServers(): ServiceListing[] {
    this.#proxier.lookAtConnections();
    return this.#director?.listServices() ?? [];
  }

  ipvsConnections(): ConnectionListing[] {
    this.#proxier.lookAtConnections();
    return this.#director?.listConnections() ?? [];
  }

  conntrack(): ConntrackEntry[] {
    this.#proxier.lookAtConnections();
    return conntrackEntries(this.#proxier, this.#clock.now());
  }

  get #director(): Ipvs | undefined {
    const mode = this.#mode.modeNamed('ipvs');
    return mode instanceof IpvsMode ? mode.director : undefined;
  }

  #iptablesOf(name: IptablesWriter, family: IpFamilyName): IptablesTables {
    const table = this.#tableOf(name);
    switch (name) {
      case 'iptables':
        return iptablesRules(table, this.#context, family);
      case 'ipvs':
        return ipvsRules(table, this.#context, family);
      case 'userspace':
        return userspaceRules(table, this.#context, (key) => this.#proxyPort(key), family);
    }
  }

  #proxyPort(servicePortKey: string): number {
    const mode = this.#mode.modeNamed('userspace');
    return mode instanceof UserspaceMode ? mode.ports.of(servicePortKey) : 0;
  }

  #isPresent(name: ProxyModeName): boolean {
    if (name === this.#mode.name) return true;
    for (const servicePort of this.#proxier.table.servicePorts.values())
      if (this.#mode.nameOf(servicePort) === name) return true;
    return false;
  }

  /** The routing table as if the node had only the Services of this mode. */
  #tableOf(name: ProxyModeName): RoutingTable {
    const { table } = this.#proxier;
    const others: ServicePort[] = [];
    for (const servicePort of table.servicePorts.values())
      if (this.#mode.nameOf(servicePort) !== name) others.push(servicePort);
    if (others.length === 0) return table;
    const servicePorts = table.servicePorts.edit((draft) => {
      for (const { key } of others) draft.delete(key);
    });
    return { ...table, servicePorts };
  }

  /** The routing table as if the node had only these service ports, as far as they are of iptables mode. */
  #only(keys: ReadonlySet<string>): RoutingTable {
    const table = this.#tableOf('iptables');
    const servicePorts = table.servicePorts.edit((draft) => {
      for (const [key] of table.servicePorts) if (!keys.has(key)) draft.delete(key);
    });
    return { ...table, servicePorts };
  }

  #hasFamily(family: IpFamilyName): boolean {
    return new NodeView(this.#context, IPVS_NODE_PORTS).primaryIP(family) !== undefined;
  }
}

function isOwn(chain: string): boolean {
  return chain.startsWith('KUBE-');
}

function isOfOneService(chain: string): boolean {
  return /^KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(chain);
}

function isShared(chain: string): boolean {
  return isOwn(chain) && !isOfOneService(chain);
}

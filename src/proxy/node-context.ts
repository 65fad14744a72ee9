import { type Cidr, type IpFamily, parseCidr } from '../base/ip.ts';
import { AddressMatcher } from './address-matcher.ts';

/**
 * How a proxy tells pods from other senders (`--detect-local-mode`). The interface modes match what comes in on the pods'
 * interfaces; here that is what has an address of this node's pod CIDR.
 */
export interface LocalDetector {
  readonly mode: 'ClusterCIDR' | 'NodeCIDR' | 'BridgeInterface' | 'InterfaceNamePrefix';
  readonly cidrs: readonly Cidr[];
  /** The name or prefix that rules match in the interface modes. */
  readonly interfaceName?: string;
}

/** What a proxy knows of the node it runs on besides the routing table: its configuration as data. */
export interface NodeContext {
  /** The node's addresses in canonical text; the first of a family is its primary one. */
  readonly nodeIPs: readonly string[];
  /** What counts as loopback. Not 127.0.0.0/8 where nodes, pods or Services have addresses in it. */
  readonly loopback: readonly Cidr[];
  /** Undefined: nothing can be told apart, and no rule asks. */
  readonly detectLocal: LocalDetector | undefined;
  /** `--masquerade-all`. */
  readonly masqueradeAll: boolean;
  /** `--nodeport-addresses`; `default` is `primary` in nftables mode and every local address in the others. */
  readonly nodePortAddresses: 'default' | 'primary' | readonly Cidr[];
  /** `--iptables-localhost-nodeports`. */
  readonly localhostNodePorts: boolean;
  /** The cluster's Service networks; empty: unknown. */
  readonly serviceCIDRs: readonly Cidr[];
}

const LOCALHOST = '127.0.0.1';

/** 127.0.0.0/8 and ::1, as on a machine of its own. */
export const REAL_LOOPBACK: readonly Cidr[] = ['127.0.0.0/8', '::1/128'].flatMap(
  (text) => parseCidr(text) ?? [],
);

/** kube-proxy's defaults on a node with these addresses. */
export function nodeContext(
  options: Partial<NodeContext> & Pick<NodeContext, 'nodeIPs'>,
): NodeContext {
  return {
    loopback: REAL_LOOPBACK,
    detectLocal: undefined,
    masqueradeAll: false,
    nodePortAddresses: 'default',
    localhostNodePorts: true,
    serviceCIDRs: [],
    ...options,
  };
}

/** What a mode does with node ports where the configuration leaves it open. */
export interface NodePortHabits {
  readonly addresses: 'all' | 'primary';
  /** Whether 127.0.0.1 may answer too; `optional`: as configured. IPv6 loopback never does. */
  readonly localhost: 'never' | 'optional' | 'always';
}

/** A {@link NodeContext} made ready for questions about single addresses. */
export class NodeView {
  readonly context: NodeContext;
  readonly #nodeIPs: ReadonlySet<string>;
  readonly #loopback: AddressMatcher;
  readonly #pods: AddressMatcher;
  readonly #nodePortIPs: ReadonlySet<string>;
  readonly #localhost: boolean;
  readonly #habits: NodePortHabits;

  constructor(context: NodeContext, habits: NodePortHabits) {
    this.context = context;
    this.#habits = habits;
    this.#nodeIPs = new Set(context.nodeIPs);
    this.#loopback = new AddressMatcher(context.loopback);
    this.#pods = new AddressMatcher(context.detectLocal?.cidrs ?? []);
    this.#nodePortIPs = new Set([
      ...nodePortIPs(context, 'IPv4', habits),
      ...nodePortIPs(context, 'IPv6', habits),
    ]);
    this.#localhost = answersOnLocalhost(context, habits);
  }

  /** True when a detector is configured for this family. */
  detectsPods(family: IpFamily): boolean {
    return this.#pods.covers(family) || this.context.detectLocal?.interfaceName !== undefined;
  }

  isPod(address: string): boolean {
    return this.#pods.matches(address);
  }

  /** Addresses that the node's own processes send from (addrtype LOCAL). */
  isNode(address: string): boolean {
    return this.#nodeIPs.has(address) || this.#loopback.matches(address);
  }

  isLoopback(address: string): boolean {
    return this.#loopback.matches(address);
  }

  primaryIP(family: IpFamily): string | undefined {
    return this.context.nodeIPs.find((address) => familyOf(address) === family);
  }

  answersNodePorts(address: string): boolean {
    if (this.#nodePortIPs.has(address)) return true;
    if (!this.#localhost || address.includes(':') || !this.#loopback.matches(address)) return false;
    // Of listed blocks only addresses of interfaces count, and lo has the one.
    return address === LOCALHOST || this.servesAllNodeAddresses('IPv4');
  }

  /** True: node ports are not tied to single addresses. */
  servesAllNodeAddresses(family: IpFamily): boolean {
    const blocks = nodePortBlocks(this.context, family);
    return blocks === 'all' || (blocks === 'default' && this.#habits.addresses === 'all');
  }

  servesLocalhost(family: IpFamily): boolean {
    return family === 'IPv4' && this.#localhost;
  }

  /** Where to listen for node ports. */
  nodePortAddresses(family: IpFamily): readonly string[] {
    const own = [...this.#nodePortIPs].filter((address) => familyOf(address) === family);
    const localhost = family === 'IPv4' && this.#localhost && this.#loopback.covers('IPv4');
    return localhost ? [...own, LOCALHOST] : own;
  }
}

/** Where a node answers for its ports whatever the mode, health checks among them. */
export function nodePortAddressesOf(context: NodeContext): readonly string[] {
  const habits = { addresses: 'all', localhost: 'never' } as const;
  return [...nodePortIPs(context, 'IPv4', habits), ...nodePortIPs(context, 'IPv6', habits)];
}

export function familyOf(address: string): IpFamily {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

function nodePortIPs(context: NodeContext, family: IpFamily, habits: NodePortHabits): string[] {
  const own = context.nodeIPs.filter((address) => familyOf(address) === family);
  const blocks = nodePortBlocks(context, family);
  if (blocks === 'primary' || (blocks === 'default' && habits.addresses === 'primary'))
    return own.slice(0, 1);
  if (blocks === 'default' || blocks === 'all') return own;
  return own.filter((address) => blocks.matches(address));
}

function answersOnLocalhost(context: NodeContext, habits: NodePortHabits): boolean {
  if (habits.localhost === 'never') return false;
  if (habits.localhost === 'optional' && !context.localhostNodePorts) return false;
  const blocks = nodePortBlocks(context, 'IPv4');
  if (blocks === 'primary') return false;
  if (blocks === 'default') return habits.addresses === 'all';
  return blocks === 'all' || blocks.matches(LOCALHOST);
}

/** No block of a family, or a zero one, means every address of it (pkg/proxy/util/nodeport_addresses.go). */
function nodePortBlocks(
  context: NodeContext,
  family: IpFamily,
): 'default' | 'primary' | 'all' | AddressMatcher {
  const setting = context.nodePortAddresses;
  if (typeof setting === 'string') return setting;
  const blocks = setting.filter((cidr) => cidr.family === family);
  if (blocks.length === 0 || blocks.some((cidr) => cidr.prefixLength === 0)) return 'all';
  return new AddressMatcher(blocks);
}

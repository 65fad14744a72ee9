import type { Node } from '../api/types/core.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Cidr } from '../base/ip.ts';
import { Lifetime } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Client } from '../controlplane/client/client.ts';
import { annotationsOf, leaseOfNode, type NodeView, storedVtep } from '../overlay/kube-leases.ts';
import type { Lease } from '../overlay/lease.ts';
import type { NetConf } from '../overlay/net-conf.ts';
import type { MacAddress } from '../wire/mac.ts';
import { assignedPodCidr } from './assigned-pod-cidr.ts';
import type { NodeLeases } from './node-leases.ts';
import type { ObjectFeed } from './object-feed.ts';

export interface KubeNodeLeasesOptions {
  readonly name: string;
  readonly conf: NetConf;
  readonly nodes: ObjectFeed<Node>;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Leases in Node objects, as flannel's kube subnet manager keeps them: podCIDR and annotations. */
export class KubeNodeLeases implements NodeLeases {
  readonly subnet: Cidr;
  readonly #options: KubeNodeLeasesOptions;
  readonly #lifetime = new Lifetime('leases in Nodes');
  #reading: Timer | undefined;

  private constructor(options: KubeNodeLeasesOptions, subnet: Cidr) {
    this.#options = options;
    this.subnet = subnet;
  }

  /** Resolves once the Node has its podCIDR. Rejects with code NO_POD_CIDR where it gets none. */
  static async open(options: KubeNodeLeasesOptions): Promise<KubeNodeLeases> {
    const { nodes, name, clock } = options;
    return new KubeNodeLeases(options, await assignedPodCidr(nodes, name, clock));
  }

  /** What the node had before it restarted: keeping it spares its peers a change. */
  get vtepMac(): MacAddress | undefined {
    const own = this.#options.nodes.get(this.#options.name);
    return own === undefined ? undefined : storedVtep(viewOfNode(own), 'IPv4')?.mac;
  }

  /** Rejects as the API does. */
  async announce(lease: Lease): Promise<void> {
    const { client, name } = this.#options;
    const body = { metadata: { annotations: annotationsOf(lease) } };
    await client.resource('nodes').patch(name, undefined, { type: 'merge', body });
  }

  follow(onLeases: (leases: readonly Lease[]) => void): void {
    const { nodes, clock } = this.#options;
    this.#lifetime.defer(
      nodes.subscribe((current, previous) => {
        if (isSameLease(current, previous)) return;
        this.#reading ??= clock.defer(() => {
          this.#reading = undefined;
          onLeases(this.#read());
        });
      }),
    );
    this.#lifetime.defer(() => this.#reading?.cancel());
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  /** All leases, whatever changed. */
  #read(): Lease[] {
    const { nodes, conf, log } = this.#options;
    return nodes.list().flatMap((node) => {
      const outcome = leaseOfNode(viewOfNode(node), conf);
      if (outcome.kind === 'refused') log.warn({ reason: outcome.reason }, 'node has no lease');
      return outcome.kind === 'lease' ? [outcome.lease] : [];
    });
  }
}

/** What leases need of a Node. */
export function viewOfNode(node: Node): NodeView {
  return {
    name: node.metadata.name ?? '',
    podCidrs: node.spec?.podCIDRs ?? [],
    annotations: node.metadata.annotations ?? {},
  };
}

/** True for changes, such as heartbeats, that no lease shows. */
function isSameLease(current: Node | undefined, previous: Node | undefined): boolean {
  if (current === undefined || previous === undefined) return false;
  return JSON.stringify(viewOfNode(current)) === JSON.stringify(viewOfNode(previous));
}

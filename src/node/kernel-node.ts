import { ApiError } from '../api/api-error.ts';
import type { Node } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import type { IpAddress } from '../base/ip.ts';
import { formatIp } from '../base/ip.ts';
import type { Random } from '../base/random.ts';
import type { Client } from '../controlplane/client/client.ts';
import type { VxlanConf } from '../overlay/backend-conf.ts';
import { joinCommands, leaveCommands } from '../overlay/join-commands.ts';
import { annotationsOf, leaseOfNode, storedVtep } from '../overlay/kube-leases.ts';
import type { Lease } from '../overlay/lease.ts';
import type { NetConf } from '../overlay/net-conf.ts';
import { generateVtepMac } from '../overlay/vtep-mac.ts';
import { assignedPodCidr } from './assigned-pod-cidr.ts';
import { viewOfNode } from './kube-node-leases.ts';
import type { ObjectFeed } from './object-feed.ts';

export interface KernelNodesOptions {
  readonly client: Client;
  readonly nodes: ObjectFeed<Node>;
  readonly conf: NetConf & { readonly backend: VxlanConf };
  readonly clock: Clock;
  readonly random: Random;
}

export interface KernelNode {
  readonly name: string;
  /** IPv4. */
  readonly address: IpAddress;
  /** The interface that has the address, and its MTU. */
  readonly device: string;
  readonly deviceMtu: number;
}

/** So that nothing is scheduled there: no kubelet would run it. */
const KERNEL_NODE_LABEL = 'podwire.io/kernel-node';

/** Linux machines that are nodes by static entries alone: members of the overlay without a kubelet. */
export class KernelNodes {
  readonly #options: KernelNodesOptions;

  constructor(options: KernelNodesOptions) {
    this.#options = options;
  }

  /**
   * Registers the machine, so that the others know it, and says what to run there. A name that joined before keeps its
   * subnet and MAC. Rejects with code NO_POD_CIDR where no subnet is left, and as the API does.
   */
  async join(machine: KernelNode): Promise<string[]> {
    const { conf, nodes, clock } = this.#options;
    const before = nodes.get(machine.name);
    if (before === undefined) await this.#create(machine.name);
    const subnet = await assignedPodCidr(nodes, machine.name, clock);
    const lease: Lease = {
      node: machine.name,
      backendType: conf.backend.type,
      ipv4: {
        subnet,
        publicIp: machine.address,
        vtep: { vni: conf.backend.vni, mac: this.#macOf(machine.name) },
      },
    };
    await this.#announce(lease, machine);
    return joinCommands({ lease, ...machine }, conf, this.#leases());
  }

  /** Forgets a machine that joined; what to run there. Undefined for a name that did not join this way. */
  async leave(name: string): Promise<string[] | undefined> {
    const { client, conf, nodes } = this.#options;
    const node = nodes.get(name);
    if (node?.metadata.labels?.[KERNEL_NODE_LABEL] === undefined) return undefined;
    const outcome = leaseOfNode(viewOfNode(node), conf);
    await client.resource('nodes').delete(name, undefined);
    return outcome.kind === 'lease' ? leaveCommands(conf, outcome.lease) : [];
  }

  /** True for a name that another kind of node has. */
  isTaken(name: string): boolean {
    const node = this.#options.nodes.get(name);
    return node !== undefined && node.metadata.labels?.[KERNEL_NODE_LABEL] === undefined;
  }

  async #create(name: string): Promise<void> {
    const labels = { 'kubernetes.io/hostname': name, [KERNEL_NODE_LABEL]: 'true' };
    try {
      await this.#options.client.resource('nodes').create({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels },
        spec: { unschedulable: true },
      });
    } catch (error) {
      // Another command line was as fast: they want the same.
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
    }
  }

  async #announce(lease: Lease, { name, address }: KernelNode): Promise<void> {
    const nodes = this.#options.client.resource('nodes');
    const annotations = { body: { metadata: { annotations: annotationsOf(lease) } } };
    await nodes.patch(name, undefined, { type: 'merge', ...annotations });
    const addresses = [
      { type: 'InternalIP', address: formatIp(address) },
      { type: 'Hostname', address: name },
    ];
    const body = { status: { addresses } };
    await nodes.patch(name, undefined, { type: 'merge', body, subresource: 'status' });
  }

  #macOf(name: string) {
    const { nodes, random, conf } = this.#options;
    const node = nodes.get(name);
    const stored = node === undefined ? undefined : storedVtep(viewOfNode(node), 'IPv4');
    return (
      stored?.mac ?? generateVtepMac(random.fork(`vtep mac of ${name}`), conf.backend.macPrefix)
    );
  }

  #leases(): Lease[] {
    const { nodes, conf } = this.#options;
    return nodes.list().flatMap((node) => {
      const outcome = leaseOfNode(viewOfNode(node), conf);
      return outcome.kind === 'lease' ? [outcome.lease] : [];
    });
  }
}

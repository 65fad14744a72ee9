import { isApiError } from '../../api/status-errors.ts';
import type { Node } from '../../api/types/core.ts';
import { type Cidr, formatCidr, parseCidr } from '../../base/ip.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import { type ClusterCidr, NodeCidrAllocator } from '../../ipam/node-cidrs.ts';
import { startController } from './controller.ts';
import { type ControllerContext, controllerTools } from './controller-context.ts';

/** --cluster-cidr, --node-cidr-mask-size and --service-cluster-ip-range. */
export interface NodeIpamConfig {
  /** One a family. */
  readonly clusterCidrs: readonly ClusterCidr[];
  /** Kept free, should it lie in a cluster CIDR. */
  readonly serviceCidr: Cidr;
}

/**
 * Gives every node its podCIDRs (pkg/controller/nodeipam, range allocator). What Nodes carry already is
 * theirs before anything new is given. Without cluster CIDRs it does nothing, as with
 * --allocate-node-cidrs=false.
 */
export function startNodeIpamController(context: ControllerContext): Resource {
  const { informers, clock, logger, nodeIpam: config } = context;
  if (config === undefined) return new Lifetime('no node IPAM');
  const tools = controllerTools(context, 'cidrAllocator');
  const nodes = informers.of('nodes');
  const allocator = new NodeCidrAllocator(config.clusterCidrs);
  allocator.reserve(config.serviceCidr, 'the Service CIDR');
  const waiting = new Set<string>();
  let restored = false;

  return startController({
    name: 'node-ipam-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      nodes.subscribe((current, previous) => {
        queue.add((current ?? previous)?.metadata.name ?? '');
        // Its blocks have become free.
        if (current === undefined) for (const name of waiting) queue.add(name);
      }),
    ],
    reconcile: async (name) => {
      restore();
      await reconcile(name);
      return undefined;
    },
  });

  function restore(): void {
    if (restored) return;
    restored = true;
    for (const node of nodes.list()) occupy(node);
  }

  function occupy(node: Node): void {
    const cidrs = assignedCidrs(node);
    if (cidrs.length === 0) return;
    const outcome = allocator.occupy(node.metadata.name ?? '', cidrs);
    if (outcome.kind !== 'occupied')
      logger.warn(
        { node: node.metadata.name, podCIDR: formatCidr(outcome.cidr), reason: outcome.kind },
        'podCIDR of a node is not ours to keep',
      );
  }

  async function reconcile(name: string): Promise<void> {
    const node = nodes.get(name);
    waiting.delete(name);
    if (node === undefined) allocator.release(name);
    else if (assignedCidrs(node).length > 0) {
      if (allocator.cidrsOf(name).length === 0) occupy(node);
    } else await assign(node, name);
  }

  async function assign(node: Node, name: string): Promise<void> {
    const outcome = allocator.allocate(name);
    if (outcome.kind === 'exhausted') {
      waiting.add(name);
      record(node, 'CIDRNotAvailable');
      return;
    }
    const podCIDRs = outcome.cidrs.map(formatCidr);
    try {
      await tools.client.resource('nodes').patch(name, undefined, {
        type: 'merge',
        body: { spec: { podCIDR: podCIDRs[0], podCIDRs } },
      });
    } catch (error) {
      allocator.release(name);
      if (isApiError(error, 'NotFound')) return;
      record(node, 'CIDRAssignmentFailed');
      throw error;
    }
  }

  /** In the words of controller/util/node.RecordNodeStatusChange. */
  function record(node: Node, status: string): void {
    const message = `Node ${node.metadata.name} status is now: ${status}`;
    tools.events.record(node, 'Normal', status, message);
  }
}

function assignedCidrs({ spec }: Node): Cidr[] {
  const texts = spec.podCIDRs ?? (spec.podCIDR === undefined ? [] : [spec.podCIDR]);
  return texts.flatMap((text) => parseCidr(text) ?? []);
}

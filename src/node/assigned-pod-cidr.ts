import type { Node } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { PodwireError } from '../base/errors.ts';
import { type Cidr, parseCidr } from '../base/ip.ts';
import type { ObjectFeed } from './object-feed.ts';

/** The controller needs milliseconds; after so long there is none, or no CIDR left. */
const PATIENCE_MS = 10_000;

/** The Node's podCIDR, as soon as it has one. Rejects with code NO_POD_CIDR after 10 s without. */
export function assignedPodCidr(
  nodes: ObjectFeed<Node>,
  name: string,
  clock: Clock,
): Promise<Cidr> {
  return new Promise((resolve, reject) => {
    let unsubscribe = (): void => {};
    const timer = clock.setTimer(PATIENCE_MS, () => {
      unsubscribe();
      reject(
        new PodwireError(
          'NO_POD_CIDR',
          `node "${name}" got no podCIDR: is the pod subnet used up? kubectl get nodes -o custom-columns=NAME:.metadata.name,CIDR:.spec.podCIDR shows who has which; delete Nodes that are no longer there, or enlarge the subnet`,
        ),
      );
    });
    const take = (node: Node | undefined): void => {
      const cidr = node?.metadata.name === name ? parseCidr(node.spec.podCIDR ?? '') : undefined;
      if (cidr === undefined) return;
      timer.cancel();
      unsubscribe();
      resolve(cidr);
    };
    unsubscribe = nodes.subscribe(take);
    // Subscribing may have told already.
    take(nodes.get(name));
  });
}

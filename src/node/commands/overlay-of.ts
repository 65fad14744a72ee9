import { PodwireError } from '../../base/errors.ts';
import type { OverlayNode } from '../../overlay/overlay-node.ts';
import type { NodeAgent } from '../node-agent.ts';

/** The node's overlay; throws with code NO_OVERLAY where it has none. */
export function overlayOf(agent: NodeAgent): OverlayNode {
  if (agent.overlay !== undefined) return agent.overlay.overlay;
  throw new PodwireError(
    'NO_OVERLAY',
    'this node has no overlay: its VTEP address and port could not be had (podwire up said so)',
  );
}

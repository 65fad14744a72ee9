import { PassThrough } from 'node:stream';
import type { NodeAgent } from '../node-agent.ts';
import { usageError } from './node-command.ts';
import { overlayOf } from './overlay-of.ts';

const USAGE = 'overlay capture pod | vtep';

/**
 * `overlay capture`: pcapng for as long as somebody reads. `pod`: frames as the pods' side of the tunnel has them;
 * `vtep`: with VXLAN and what is around it, as between the nodes.
 */
export function captureFrames(
  agent: NodeAgent,
  args: readonly string[],
  signal: AbortSignal,
): PassThrough {
  const [point = 'vtep'] = args;
  if (args.length > 1 || (point !== 'pod' && point !== 'vtep')) throw usageError(`usage: ${USAGE}`);
  const sink = new PassThrough();
  const stop = overlayOf(agent).capture(point, sink);
  if (stop === undefined)
    throw usageError('the host-gw backend has no tunnel to capture: its connections are dialled');
  sink.once('close', stop);
  signal.addEventListener('abort', () => sink.destroy(), { once: true });
  if (signal.aborted) sink.destroy();
  return sink;
}

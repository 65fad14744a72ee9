import type { NodeAgent } from '../node-agent.ts';
import { type CommandOutput, type NodeCommand, usageError } from './node-command.ts';
import { captureFrames } from './overlay-capture.ts';
import { changeFaults } from './overlay-faults.ts';
import { joinOverlay, leaveOverlay } from './overlay-join.ts';
import { overlayStatus } from './overlay-status.ts';

type Verb = (
  agent: NodeAgent,
  args: readonly string[],
  signal: AbortSignal,
) => CommandOutput | Promise<CommandOutput>;

const VERBS: Readonly<Record<string, Verb>> = {
  status: overlayStatus,
  faults: changeFaults,
  capture: captureFrames,
  join: joinOverlay,
  leave: leaveOverlay,
};

/** What flannel and its node have no tool for: `podwire overlay` asks here. */
export const overlay: NodeCommand = {
  name: 'overlay',
  summary: `${Object.keys(VERBS).join(' | ')}  this node's part of the overlay`,
  run(agent, args, signal) {
    const [name = '', ...rest] = args;
    const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
    if (verb === undefined)
      throw usageError(`overlay: one of ${Object.keys(VERBS).join(', ')} must follow`);
    return verb(agent, rest, signal);
  },
};

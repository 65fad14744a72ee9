import { renderFdb } from '../../overlay/render-tables.ts';
import { type NodeCommand, usageError } from './node-command.ts';
import { overlayOf } from './overlay-of.ts';

const USAGE = 'bridge fdb [show [dev DEVICE]]';

/** `bridge fdb`: which VTEP each MAC is behind. */
export const bridge: NodeCommand = {
  name: 'bridge',
  summary: 'fdb [show [dev flannel.1]]  the forwarding database of the vxlan device',
  run(agent, args) {
    const [object, verb = 'show', ...rest] = args;
    if (object !== 'fdb' || verb !== 'show' || (rest.length > 0 && rest[0] !== 'dev'))
      throw usageError(`usage: ${USAGE}`);
    const [, device] = rest;
    return renderFdb(overlayOf(agent).tables.fdb.entries.values(), device);
  },
};

import { renderLink, renderNeighbours, renderRoutes } from '../../overlay/render-tables.ts';
import type { NodeAgent } from '../node-agent.ts';
import { type NodeCommand, usageError } from './node-command.ts';
import { overlayOf } from './overlay-of.ts';

const USAGE =
  'ip [-d] [-s] route [show [dev DEVICE]] | neigh [show [dev DEVICE]] | link [show [DEVICE]]';

/** What iproute2 prints of the node's overlay; with `-s` what crossed the device. */
export const ip: NodeCommand = {
  name: 'ip',
  summary: '[-d] [-s] route | neigh | link show [flannel.1]  the tables of the overlay',
  run(agent, args) {
    const flags = args.filter((arg) => arg.startsWith('-'));
    const [object = '', verb = 'show', ...rest] = args.filter((arg) => !arg.startsWith('-'));
    for (const flag of flags)
      if (!['-d', '-details', '-s', '-stats', '-4'].includes(flag))
        throw usageError(`ip: unknown option ${flag}; usage: ${USAGE}`);
    if (!'show'.startsWith(verb) && verb !== 'list')
      throw usageError(`ip: ${object} can only be shown; usage: ${USAGE}`);
    const isDetailed = flags.includes('-d') || flags.includes('-details');
    const hasStatistics = flags.includes('-s') || flags.includes('-stats');
    // As iproute2 does, by any beginning of the word.
    if (object !== '' && 'route'.startsWith(object))
      return renderRoutes(overlayOf(agent).tables.routes.entries.values(), deviceOf(rest));
    if (object !== '' && ('neighbour'.startsWith(object) || 'neighbor'.startsWith(object)))
      return renderNeighbours(overlayOf(agent).tables.neighbours.entries.values(), deviceOf(rest));
    if (object !== '' && 'link'.startsWith(object))
      return showLink(agent, rest, { isDetailed, hasStatistics });
    throw usageError(`ip: object "${object}" is unknown; usage: ${USAGE}`);
  },
};

/** Of `dev DEVICE`; undefined for all. */
function deviceOf(args: readonly string[]): string | undefined {
  const [word, device] = args;
  if (args.length === 0) return undefined;
  if (word !== 'dev' || device === undefined || args.length > 2)
    throw usageError(`ip: "${args.join(' ')}" cannot be selected; usage: ${USAGE}`);
  return device;
}

function showLink(
  agent: NodeAgent,
  args: readonly string[],
  options: { readonly isDetailed: boolean; readonly hasStatistics: boolean },
): string {
  const link = overlayOf(agent).vxlanLink();
  const name = args[0] === 'dev' ? args[1] : args[0];
  if (link === undefined || (name !== undefined && name !== link.name))
    throw usageError(`Device "${name ?? 'flannel.1'}" does not exist.`);
  return renderLink(link, options);
}

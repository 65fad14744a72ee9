import { parseArgs } from 'node:util';
import { errorMessage } from '../../base/errors.ts';
import { EVERY_NODE } from '../../overlay/fault-plan.ts';
import { FAULT_OPTIONS, formatFaults, parseFaults } from '../../overlay/fault-text.ts';
import type { LinkDirection } from '../../overlay/link-shaper.ts';
import type { OverlayNode } from '../../overlay/overlay-node.ts';
import type { NodeAgent } from '../node-agent.ts';
import { usageError } from './node-command.ts';
import { overlayOf } from './overlay-of.ts';

const USAGE = 'overlay faults list | set NODE|* [--inbound] OPTIONS | clear [NODE|* [--inbound]]';
const PARSED_OPTIONS = Object.fromEntries([
  ['inbound', { type: 'boolean' as const }],
  ...Object.entries(FAULT_OPTIONS).map(([name, { type }]) => [name, { type }] as const),
]);

/**
 * `overlay faults`: makes the links of this node to others worse, or whole again. `set` replaces what was set for that
 * node and direction; out is the direction unless told otherwise.
 */
export function changeFaults(agent: NodeAgent, args: readonly string[]): string {
  const overlay = overlayOf(agent);
  const [verb = 'list', ...rest] = args;
  if (verb === 'list') return list(overlay);
  const { node, direction, options } = parse(rest);
  if (verb === 'clear') {
    if (node === undefined) overlay.clearFaults();
    else overlay.setFaults(node, direction, undefined);
    return '';
  }
  if (verb !== 'set' || node === undefined) throw usageError(`usage: ${USAGE}`);
  try {
    const faults = parseFaults(options);
    if (Object.keys(faults).length === 0)
      throw usageError(
        `overlay faults set: name a fault: ${Object.keys(FAULT_OPTIONS)
          .map((name) => `--${name}`)
          .join(', ')}`,
      );
    refuseDirect(overlay, node);
    overlay.setFaults(node, direction, faults);
  } catch (error) {
    if (error instanceof RangeError) throw usageError(error.message);
    throw error;
  }
  return '';
}

/** Faults act on the tunnel: there must be one. A node that is not known yet may come to have one. */
function refuseDirect(overlay: OverlayNode, node: string): void {
  const ways = overlay.waysTo(node);
  if (overlay.vtep !== undefined && (ways.length === 0 || ways.includes('overlay'))) return;
  const whom = node === EVERY_NODE ? 'the other nodes' : node;
  const backend = overlay.vtep === undefined ? 'the host-gw backend' : 'DirectRouting';
  throw usageError(
    `overlay faults set: connections to ${whom} are dialled directly (${backend}): there is no tunnel that faults could act on`,
  );
}

function list(overlay: OverlayNode): string {
  return overlay
    .faults()
    .map(({ node, direction, faults }) => `${direction} ${node} ${formatFaults(faults)}\n`)
    .join('');
}

function parse(args: readonly string[]): {
  readonly node: string | undefined;
  readonly direction: LinkDirection;
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
} {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: PARSED_OPTIONS,
      allowPositionals: true,
    });
    if (positionals.length > 1) throw new TypeError(`${positionals.join(' ')}: one node at a time`);
    return {
      node: positionals[0],
      direction: values['inbound'] === true ? 'inbound' : 'outbound',
      options: values,
    };
  } catch (error) {
    throw usageError(`${errorMessage(error)}\nusage: ${USAGE}`);
  }
}

import { parseArgs } from 'node:util';
import { errorMessage } from '../../base/errors.ts';
import { parseIp } from '../../base/ip.ts';
import type { KernelNode, KernelNodes } from '../kernel-node.ts';
import type { NodeAgent } from '../node-agent.ts';
import { usageError } from './node-command.ts';

const USAGE = 'overlay join NAME --address IP [--device eth0] [--mtu 1500]';
/** RFC 1123's names, as Kubernetes wants them. */
const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const MIN_MTU = 626;

/** `overlay join`: registers a Linux machine as a node; prints the commands that make it one. */
export async function joinOverlay(agent: NodeAgent, args: readonly string[]): Promise<string> {
  const kernelNodes = kernelNodesOf(agent);
  const machine = parse(args);
  if (kernelNodes.isTaken(machine.name))
    throw usageError(`${machine.name} is a node already, and none that joined this way`);
  return linesOf(await kernelNodes.join(machine));
}

/** `overlay leave`: the opposite. */
export async function leaveOverlay(agent: NodeAgent, args: readonly string[]): Promise<string> {
  const [name] = args;
  if (name === undefined || args.length > 1) throw usageError('usage: overlay leave NAME');
  const commands = await kernelNodesOf(agent).leave(name);
  if (commands === undefined) throw usageError(`${name} is no node that joined with commands`);
  return linesOf(commands);
}

function kernelNodesOf(agent: NodeAgent): KernelNodes {
  if (agent.kernelNodes !== undefined) return agent.kernelNodes;
  throw usageError(
    'a Linux machine can join where the backend is vxlan and leases are in Nodes, and not elsewhere',
  );
}

function parse(args: readonly string[]): KernelNode {
  const { name, address, device, mtu } = take(args);
  if (name === undefined || !NAME.test(name))
    throw usageError(`NAME "${name ?? ''}" must be like kernel-1\nusage: ${USAGE}`);
  const ip = parseIp(address ?? '');
  if (ip?.family !== 'IPv4')
    throw usageError(`--address "${address ?? ''}" must be an IPv4 address\nusage: ${USAGE}`);
  const deviceMtu = Number(mtu);
  if (!Number.isInteger(deviceMtu) || deviceMtu < MIN_MTU || deviceMtu > 65_536)
    throw usageError(`--mtu "${mtu}" must be between ${MIN_MTU} and 65536`);
  // It goes into commands that a root shell runs.
  if (!/^[\w.-]{1,15}$/.test(device)) throw usageError(`--device "${device}" must be like eth0`);
  return { name, address: ip, device, deviceMtu };
}

function take(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        address: { type: 'string' },
        device: { type: 'string', default: 'eth0' },
        mtu: { type: 'string', default: '1500' },
      },
      allowPositionals: true,
    });
    if (positionals.length > 1) throw new TypeError(`${positionals.join(' ')}: one name at a time`);
    return { ...values, name: positionals[0] };
  } catch (error) {
    throw usageError(`${errorMessage(error)}\nusage: ${USAGE}`);
  }
}

function linesOf(commands: readonly string[]): string {
  return commands.map((command) => `${command}\n`).join('');
}

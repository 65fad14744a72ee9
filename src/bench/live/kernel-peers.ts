import { spawnSync } from 'node:child_process';
import { release } from 'node:os';
import type { Scenario } from '../scenario/scenario.ts';
import type { Contender } from './contender.ts';
import { inNewNamespace } from './namespace-command.ts';

/** What loads the rules of each. */
export const KERNEL_PROGRAMS = {
  'kernel-iptables': 'iptables-restore',
  'kernel-nftables': 'nft',
} as const;

export type KernelPeerName = keyof typeof KERNEL_PROGRAMS;

const NAMES = Object.keys(KERNEL_PROGRAMS) as KernelPeerName[];

/** The kernel's version by name of peer, for those that this machine lets us have. */
export function installedKernelPeers(): ReadonlyMap<string, string> {
  const usable = NAMES.filter((name) => {
    const [command = '', ...flags] = inNewNamespace([KERNEL_PROGRAMS[name], '--version']);
    return spawnSync(command, flags, { stdio: 'ignore' }).status === 0;
  });
  return new Map(usable.map((name) => [name, release()]));
}

/** The kernel is one node; all else of a scenario it can do, changes of backends included. */
export function kernelContenders(
  scenario: Scenario,
  installed: ReadonlyMap<string, string>,
): Contender[] {
  if (scenario.nodes > 1) return [];
  return NAMES.filter((name) => installed.has(name)).map((name) => ({
    name,
    family: 'peer',
    inNamespace: true,
  }));
}

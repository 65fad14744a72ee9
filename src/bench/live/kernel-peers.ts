import { spawnSync } from 'node:child_process';
import type { Scenario } from '../scenario/scenario.ts';
import type { Contender } from './contender.ts';
import { findProgram } from './find-program.ts';
import { inNewNamespace } from './namespace-command.ts';

/** What loads the rules of each. */
export const KERNEL_PROGRAMS = {
  'kernel-iptables': 'iptables-restore',
  'kernel-nftables': 'nft',
} as const;

export type KernelPeerName = keyof typeof KERNEL_PROGRAMS;

const NAMES = Object.keys(KERNEL_PROGRAMS) as KernelPeerName[];

/** The version of the tool by name of peer, for those that this machine lets us have. */
export function installedKernelPeers(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const name of NAMES) {
    const program = findProgram(KERNEL_PROGRAMS[name]);
    if (program === undefined) continue;
    const [command = '', ...flags] = inNewNamespace([program, '--version']);
    const { status, stdout } = spawnSync(command, flags, { encoding: 'utf8' });
    if (status === 0) found.set(name, /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? '');
  }
  return found;
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

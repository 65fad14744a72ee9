import type { Command } from 'commander';
import { errorCode, errorMessage } from '../base/errors.ts';
import { execOnNode, nodesOf, switchNode } from '../cluster/node-exec.ts';
import { kubeconfigOption } from './api-options.ts';
import { CommandError, EXIT, type Terminal } from './terminal.ts';

interface ClusterFlags {
  readonly kubeconfig: string;
}

/** `podwire node`: what the nodes of a running cluster say of themselves. */
export function registerNode(program: Command, terminal: Terminal): void {
  const node = program
    .command('node')
    .summary('look into the nodes of a running cluster, stop and start them');
  addKubeconfigOption(node.command('list').summary('the names of the nodes')).action(
    (flags: ClusterFlags) =>
      ofCluster(async () => {
        for (const name of await nodesOf(flags.kubeconfig)) terminal.out(name);
      }),
  );
  addKubeconfigOption(
    node
      .command('exec')
      .summary('run a program on a node, such as iptables-save or ipvsadm -Ln')
      .argument('<node>', 'node-1')
      .argument('[command...]', 'the program and its arguments; help lists the programs', ['help'])
      .passThroughOptions(),
  ).action((name: string, command: readonly string[], flags: ClusterFlags) =>
    printFromNode(terminal, flags.kubeconfig, name, command),
  );
  registerPower(node, terminal);
}

interface StartFlags extends ClusterFlags {
  readonly address?: string;
}

function registerPower(node: Command, terminal: Terminal): void {
  const change = (flags: ClusterFlags, name: string, on: boolean, address?: string) =>
    ofCluster(async () => {
      const power = address === undefined ? { on } : { on, address };
      terminal.out(await switchNode(flags.kubeconfig, name, power));
    });
  const stop = node.command('stop').summary('switch a node off, as a power cut would');
  addKubeconfigOption(stop.argument('<node>', 'node-1')).action(
    (name: string, flags: ClusterFlags) => change(flags, name, false),
  );
  const start = node
    .command('start')
    .summary('switch a stopped node on again')
    .argument('<node>', 'node-1')
    .option('--address <ip>', 'come up at another address of the node subnet');
  addKubeconfigOption(start).action((name: string, flags: StartFlags) =>
    change(flags, name, true, flags.address),
  );
}

/** For commands that talk to a running cluster. */
export function addKubeconfigOption(command: Command): Command {
  return command.addOption(kubeconfigOption('what podwire up wrote for the cluster'));
}

/** Prints what a command on a node prints, as it comes. */
function printFromNode(
  terminal: Terminal,
  kubeconfig: string,
  node: string,
  command: readonly string[],
): Promise<void> {
  return ofCluster(async () => {
    for await (const chunk of execOnNode(kubeconfig, node, command)) await terminal.write(chunk);
  });
}

/** What a running cluster refuses ends the command with its words. */
export async function ofCluster(task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    const code = errorCode(error);
    if (code === 'USAGE') throw new CommandError(errorMessage(error), EXIT.usage);
    if (code === 'NO_CLUSTER' || code === 'NODE_EXEC') throw new CommandError(errorMessage(error));
    throw error;
  }
}

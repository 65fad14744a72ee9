import type { Command } from 'commander';
import { errorCode } from '../base/errors.ts';
import { execOnNode, nodesOf } from '../cluster/node-exec.ts';
import { addKubeconfigOption, ofCluster } from './node.ts';
import { CommandError, EXIT, type Terminal } from './terminal.ts';

/** Each with what is behind it and what it does; the node checks the values. */
const FAULTS: readonly (readonly [flags: string, what: string])[] = [
  ['--loss <percent>', 'frames that vanish: 2%'],
  ['--delay <time>', 'added to every frame: 10ms'],
  ['--jitter <time>', 'up to this much more, without reordering: 5ms'],
  ['--reorder <percent>', 'frames that are held back, so that later ones overtake them'],
  ['--reorder-delay <time>', 'for how long (default 1ms)'],
  ['--duplicate <percent>', 'frames that arrive twice'],
  ['--corrupt <percent>', 'frames of which one bit is flipped'],
  ['--rate <rate>', 'what the link carries: 10mbit; frames queue'],
  ['--queue <bytes>', 'for at most this much (default 262144)'],
  ['--partition', 'nothing gets through'],
  ['--black-hole-mtu <bytes>', 'larger packets vanish without an ICMP message: 1400'],
  ['--block-udp-port <ports>', "UDP to these ports vanishes; the tunnel's own 8472 takes it all"],
  ['--partial-checksums', 'TCP and UDP leave with checksums that hardware should have completed'],
];

interface LinkFlags {
  readonly kubeconfig: string;
  readonly from?: string;
  readonly to?: string;
  readonly oneWay?: boolean;
}

type FaultFlags = LinkFlags & Readonly<Record<string, unknown>>;

/** From one node to another. */
interface Link {
  readonly from: string;
  readonly to: string;
}

/** `podwire overlay faults`. */
export function registerOverlayFaults(overlay: Command, terminal: Terminal): void {
  const faults = overlay
    .command('faults')
    .summary('make links between nodes worse, at run time, and heal them');
  const set = linkOptions(
    faults
      .command('set')
      .summary('faults of the links between two sets of nodes; replaces what was set for them'),
  );
  for (const [flags, what] of FAULTS) set.option(flags, what);
  set
    .addHelpText(
      'after',
      `
The same seed of the cluster and the same traffic meet the same fate. Frames that are lost are counted by reason in
podwire overlay status, and commented in captures.

Examples:
  podwire overlay faults set --loss 2% --delay 20ms --jitter 5ms
  podwire overlay faults set --from node-1 --to node-2,node-3 --partition
  podwire overlay faults clear`,
    )
    .action((flags: FaultFlags) =>
      ofCluster(() => change(flags, ['set'], faultArguments(set, flags))),
    );
  linkOptions(
    faults.command('clear').summary('heal these links; without --from and --to all of them'),
  ).action((flags: LinkFlags) => ofCluster(() => clear(flags)));
  addKubeconfigOption(faults.command('list').summary('what is set, by node')).action(
    (flags: LinkFlags) => ofCluster(() => list(flags.kubeconfig, terminal)),
  );
}

function linkOptions(command: Command): Command {
  return addKubeconfigOption(command)
    .option('--from <nodes>', 'names, separated by commas (default: all)')
    .option('--to <nodes>', 'names, separated by commas (default: all)')
    .option('--one-way', 'only in this direction');
}

/** The flags that are faults, as they were given. */
function faultArguments(command: Command, flags: FaultFlags): string[] {
  return command.options.flatMap((option) => {
    const value = flags[option.attributeName()];
    if (!FAULTS.some(([known]) => known === option.flags)) return [];
    if (value === true) return [option.long ?? ''];
    return typeof value === 'string' ? [option.long ?? '', value] : [];
  });
}

async function change(
  flags: LinkFlags,
  verb: readonly string[],
  options: readonly string[],
): Promise<void> {
  const { kubeconfig } = flags;
  const names = await nodesOf(kubeconfig);
  const running = await runningOf(kubeconfig, names);
  for (const { from, to } of linksOf(flags, names)) {
    // The sender does it, or the receiver where the sender is a machine of another kind.
    if (running.has(from)) await exec(kubeconfig, from, [...verb, to, ...options]);
    else if (running.has(to)) await exec(kubeconfig, to, [...verb, from, '--inbound', ...options]);
    else
      throw new CommandError(
        `neither ${from} nor ${to} is a running podwire node: nobody can do that`,
      );
  }
}

async function clear(flags: LinkFlags): Promise<void> {
  if (flags.from !== undefined || flags.to !== undefined) {
    await change(flags, ['clear'], []);
    return;
  }
  const names = await nodesOf(flags.kubeconfig);
  for (const node of await runningOf(flags.kubeconfig, names))
    await exec(flags.kubeconfig, node, ['clear']);
}

async function list(kubeconfig: string, terminal: Terminal): Promise<void> {
  const names = await nodesOf(kubeconfig);
  for (const node of await runningOf(kubeconfig, names)) {
    const text = await exec(kubeconfig, node, ['list']);
    for (const line of text.split('\n').slice(0, -1)) terminal.out(`${node} ${line}`);
  }
}

function linksOf({ from, to, oneWay }: LinkFlags, names: readonly string[]): Link[] {
  const forward = pairs(namesIn('--from', from, names), namesIn('--to', to, names));
  const back = oneWay === true ? [] : forward.map((link) => ({ from: link.to, to: link.from }));
  const links = [...forward, ...back].filter((link) => link.from !== link.to);
  return [...new Map(links.map((link) => [`${link.from} ${link.to}`, link])).values()];
}

function pairs(from: readonly string[], to: readonly string[]): Link[] {
  return from.flatMap((one) => to.map((other) => ({ from: one, to: other })));
}

function namesIn(
  option: string,
  text: string | undefined,
  known: readonly string[],
): readonly string[] {
  if (text === undefined) return known;
  const names = text.split(',');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new CommandError(
      `${option}: there is no node "${unknown}"; there are ${known.join(', ')}`,
      EXIT.usage,
    );
  return names;
}

/** Those that podwire runs, now. */
async function runningOf(kubeconfig: string, names: readonly string[]): Promise<Set<string>> {
  const running = new Set<string>();
  for (const name of names) {
    try {
      await exec(kubeconfig, name, ['list']);
      running.add(name);
    } catch (error) {
      if (errorCode(error) !== 'NODE_EXEC') throw error;
    }
  }
  return running;
}

async function exec(kubeconfig: string, node: string, command: readonly string[]): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of execOnNode(kubeconfig, node, ['overlay', 'faults', ...command]))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

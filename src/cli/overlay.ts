import { open } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { errorCode } from '../base/errors.ts';
import { CommandError, EXIT, type Terminal } from './terminal.ts';
import { execOnNode, nodesOf } from '../cluster/node-exec.ts';
import { addKubeconfigOption, ofCluster } from './node.ts';
import { registerOverlayFaults } from './overlay-faults.ts';
import { awaitStopSignal } from './signals.ts';

interface ClusterFlags {
  readonly kubeconfig: string;
}

interface CaptureFlags extends ClusterFlags {
  readonly point: 'pod' | 'vtep';
  readonly write: string;
}

interface JoinFlags extends ClusterFlags {
  readonly address: string;
  readonly device: string;
  readonly mtu: string;
}

/** `podwire overlay`: the VXLAN network of a running cluster. */
export function registerOverlay(program: Command, terminal: Terminal): void {
  const overlay = program
    .command('overlay')
    .summary('look into the VXLAN overlay of a running cluster, break it, join it')
    .description(
      'The overlay of a running cluster. The tables are at podwire node exec NODE ip route | ip neigh | bridge fdb.',
    );
  addKubeconfigOption(
    overlay
      .command('status')
      .summary('what crossed each node’s device, and what was dropped and why')
      .argument('[node]', 'default: every node'),
  ).action((node: string | undefined, flags: ClusterFlags) =>
    ofCluster(() => printStatus(flags.kubeconfig, node, terminal)),
  );
  registerCapture(overlay, terminal);
  registerJoin(overlay, terminal);
  registerOverlayFaults(overlay, terminal);
}

function registerCapture(overlay: Command, terminal: Terminal): void {
  addKubeconfigOption(
    overlay
      .command('capture')
      .summary('write pcapng for Wireshark until Ctrl-C')
      .argument('<node>', 'node-1')
      .addOption(
        new Option('--point <point>', 'inner frames, or VXLAN between the nodes')
          .choices(['pod', 'vtep'])
          .default('vtep'),
      )
      .option('-w, --write <file>', 'where to; - is stdout', '-')
      .addHelpText(
        'after',
        `
Examples:
  podwire overlay capture node-1 | tshark -r -
  podwire overlay capture node-1 --point pod | wireshark -k -i -
  podwire overlay capture node-2 -w node-2.pcapng`,
      ),
  ).action((node: string, flags: CaptureFlags) => ofCluster(() => capture(node, flags, terminal)));
}

function registerJoin(overlay: Command, terminal: Terminal): void {
  addKubeconfigOption(
    overlay
      .command('join-commands')
      .summary('make a Linux machine a node: registers it, prints the commands to run there')
      .argument('<name>', 'of the new node')
      .requiredOption('--address <ip>', 'where the other nodes reach it')
      .option('--device <name>', 'its interface with that address', 'eth0')
      .option('--mtu <bytes>', 'of that interface', '1500')
      .addHelpText(
        'after',
        `
Run again after nodes came or went: the commands replace what is there.

Example, on the Linux machine (as root):
  podwire overlay join-commands kernel-1 --address 172.18.0.9 | sh -x`,
      ),
  ).action((name: string, flags: JoinFlags) => {
    const { address, device, mtu } = flags;
    const command = ['overlay', 'join', name, '--address', address, '--device', device];
    return ofCluster(() => printFromAnyNode(flags, [...command, '--mtu', mtu], terminal));
  });
  addKubeconfigOption(
    overlay
      .command('leave-commands')
      .summary('the opposite: forgets the node, prints the commands to run there')
      .argument('<name>', 'of the node that joined'),
  ).action((name: string, flags: ClusterFlags) =>
    ofCluster(() => printFromAnyNode(flags, ['overlay', 'leave', name], terminal)),
  );
}

async function printStatus(
  kubeconfig: string,
  node: string | undefined,
  terminal: Terminal,
): Promise<void> {
  const names = node === undefined ? await nodesOf(kubeconfig) : [node];
  for (const [index, name] of names.entries()) {
    if (names.length > 1) terminal.out(`${index === 0 ? '' : '\n'}${name}`);
    try {
      terminal.out((await textOf(kubeconfig, name, ['overlay', 'status'])).trimEnd());
    } catch (error) {
      if (node !== undefined) throw error;
      terminal.out('not a running podwire node');
    }
  }
}

/** The command needs some node to speak for the cluster: the first that runs. */
async function printFromAnyNode(
  { kubeconfig }: ClusterFlags,
  command: readonly string[],
  terminal: Terminal,
): Promise<void> {
  let problem: unknown = new CommandError('the cluster has no nodes');
  for (const node of await nodesOf(kubeconfig)) {
    try {
      terminal.out((await textOf(kubeconfig, node, command)).trimEnd());
      return;
    } catch (error) {
      if (errorCode(error) !== 'NODE_EXEC') throw error;
      problem = error;
    }
  }
  throw problem;
}

async function textOf(
  kubeconfig: string,
  node: string,
  command: readonly string[],
): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of execOnNode(kubeconfig, node, command)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function capture(node: string, flags: CaptureFlags, terminal: Terminal): Promise<void> {
  if (flags.write === '-' && process.stdout.isTTY)
    throw new CommandError(
      'a capture is no text: pipe it, as in | tshark -r -, or name a file with -w',
      EXIT.usage,
    );
  const ending = new AbortController();
  const stop = awaitStopSignal(() => process.exit(EXIT.failure));
  void stop.received.then(() => ending.abort());
  terminal.closed.addEventListener('abort', () => ending.abort(), { once: true });
  const command = ['overlay', 'capture', flags.point];
  const frames = execOnNode(flags.kubeconfig, node, command, ending.signal);
  try {
    if (flags.write === '-') for await (const chunk of frames) await terminal.write(chunk);
    else await writeTo(flags.write, frames);
  } finally {
    stop.release();
  }
}

async function writeTo(path: string, frames: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, 'w');
  try {
    for await (const chunk of frames) await file.write(chunk);
  } finally {
    await file.close();
  }
}

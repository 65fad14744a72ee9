import { type Command, Option } from 'commander';
import { type ExplainOutcome, explainFlow } from '../cluster/explain-flow.ts';
import { readManifestFiles } from './manifest-files.ts';
import { CommandError, EXIT, type Terminal } from './terminal.ts';

interface FlowFlags {
  readonly filename: readonly string[];
  readonly node: string;
  readonly nodeIp?: readonly string[];
  readonly proxyMode: string;
  readonly ipvsScheduler?: string;
  readonly from: string;
  readonly to: string;
  readonly detectLocal?: string;
  readonly masqueradeAll: boolean;
  readonly localhostNodeports: boolean;
  readonly nodeportAddresses?: string;
  readonly serviceCidr?: string;
  readonly output: 'text' | 'json';
}

/** `podwire explain flow`: what one node's proxy does with a connection, and why. */
export function registerExplain(program: Command, terminal: Terminal): void {
  const explain = program.command('explain').summary('say what the data plane would do, and why');
  explain
    .command('flow')
    .summary('where a connection goes, from manifests alone')
    .description(
      'Tells what kube-proxy on a node does with a connection: forward, reject, drop or pass,\nwith the endpoints it may reach. Reads Services, EndpointSlices and Nodes as the API has them.',
    )
    .requiredOption(
      '-f, --filename <path...>',
      'manifest file, folder, or - for stdin; may be repeated',
    )
    .requiredOption('--node <name>', 'the node whose proxy is asked')
    .option('--node-ip <address...>', 'addresses of the node, instead of its Node status')
    .requiredOption('--proxy-mode <mode>', 'iptables, nftables, ipvs or userspace', 'iptables')
    .option('--ipvs-scheduler <name>', 'rr, wlc, sh,sh-port …')
    .requiredOption('--from <address[:port]>', 'the client')
    .requiredOption('--to <address:port[/udp]>', 'what it dials')
    .option('--detect-local <detector>', 'cluster-cidr=BLOCKS, node-cidr, bridge-interface=NAME …')
    .option('--masquerade-all', 'SNAT all traffic to cluster IPs', false)
    .option('--no-localhost-nodeports', 'no node ports on 127.0.0.1 (iptables)')
    .option('--nodeport-addresses <blocks>', 'where node ports are served, or primary')
    .option('--service-cidr <blocks>', 'the Service networks, instead of ServiceCIDR objects')
    .addOption(
      new Option('-o, --output <format>', 'how to print it')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText(
      'after',
      `
Example:
  podwire explain flow -f cluster.yaml --node node-1 --proxy-mode iptables \\
    --from 10.244.1.7 --to 10.96.0.10:53/udp --detect-local cluster-cidr=10.244.0.0/16`,
    )
    .action(async (flags: FlowFlags) => {
      const manifests = await readManifestFiles(flags.filename);
      const outcome = await explainFlow(manifests, {
        node: flags.node,
        nodeIPs: (flags.nodeIp ?? []).flatMap((text) => text.split(',')),
        proxyMode: flags.proxyMode,
        from: flags.from,
        to: flags.to,
        masqueradeAll: flags.masqueradeAll,
        localhostNodePorts: flags.localhostNodeports,
        ...(flags.ipvsScheduler === undefined ? {} : { ipvsScheduler: flags.ipvsScheduler }),
        ...(flags.detectLocal === undefined ? {} : { detectLocal: flags.detectLocal }),
        ...(flags.nodeportAddresses === undefined
          ? {}
          : { nodePortAddresses: flags.nodeportAddresses }),
        ...(flags.serviceCidr === undefined ? {} : { serviceCIDRs: flags.serviceCidr }),
      });
      print(outcome, flags.output, terminal);
    });
}

function print(outcome: ExplainOutcome, format: 'text' | 'json', terminal: Terminal): void {
  if (outcome.kind === 'invalid') throw new CommandError(outcome.problems.join('\n'), EXIT.usage);
  for (const warning of outcome.warnings) terminal.err(`ignored: ${warning}`);
  const { explanation } = outcome;
  if (format === 'json') {
    terminal.out(JSON.stringify(explanation));
    return;
  }
  const reason = explanation.reason === undefined ? '' : ` (${explanation.reason})`;
  terminal.out(`${explanation.verdict}${reason}`);
  for (const { address, probability, snat } of explanation.endpoints)
    terminal.out(
      `  ${address}  ${(probability * 100).toFixed(1)} %  ${snat ? 'from the node’s address' : 'from the client’s address'}`,
    );
  explanation.steps.forEach(({ text, details }, index) => {
    const more = Object.entries(details ?? {}).map(([key, value]) => `${key}=${String(value)}`);
    terminal.out(`${index + 1}. ${[text, ...more].join('  ')}`);
  });
}

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import { parseIp } from '../base/ip.ts';
import { createLogger, type LogFormat } from '../base/log.ts';
import { freshSeed, seededRandom } from '../base/random.ts';
import { type ListenAddress, StandaloneDns } from '../cluster/standalone-dns.ts';
import { addManifestsOption, readManifestFiles } from './manifest-files.ts';
import { CommandError, EXIT, type Terminal } from './terminal.ts';

/** What a DNS server without a cluster is made of. */
export interface DnsFlags {
  readonly corefile?: string;
  readonly filename?: readonly string[];
  readonly listen?: readonly ListenAddress[];
  readonly clusterDomain: string;
  readonly seed?: string;
  readonly faults?: string;
  readonly kube2sky?: string;
  readonly kube2skyLayout: 'flat' | 'svc';
  readonly logLevel: string;
  readonly logFormat: LogFormat;
}

const DEFAULT_LISTEN: ListenAddress = { address: '127.0.0.1', port: 1053 };

export function addDnsOptions(command: Command): Command {
  return addManifestsOption(command)
    .option('--corefile <file>', 'configuration in CoreDNS format')
    .option(
      '--listen <address:port>',
      'where to answer; may be repeated (default 127.0.0.1:1053)',
      addListenAddress,
    )
    .option('--cluster-domain <name>', 'DNS domain of the cluster', 'cluster.local')
    .option('--seed <text>', 'make the same random decisions as another run')
    .option('--faults <file>', 'what goes wrong, a fault a line: drop type=AAAA')
    .option('--kube2sky <url>', 'also write the Services into this etcd, as SkyDNS data')
    .addOption(
      new Option('--kube2sky-layout <layout>', 'keys without or with "svc"')
        .choices(['flat', 'svc'])
        .default('flat'),
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged to stderr')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'how it is logged')
        .choices(['text', 'json'])
        .default('text'),
    );
}

/** Everything a user can get wrong ends with a CommandError or a CorefileError. */
export async function startDns(flags: DnsFlags, terminal: Terminal): Promise<StandaloneDns> {
  const { corefile: path, clusterDomain, kube2sky } = flags;
  const log = createLogger({ level: flags.logLevel, format: flags.logFormat });
  const [first = DEFAULT_LISTEN, ...others] = flags.listen ?? [];
  const text = path === undefined ? plainCorefile(clusterDomain) : await fileText(path);
  const dns = await StandaloneDns.start({
    clock: systemClock,
    random: seededRandom(flags.seed ?? freshSeed()),
    log,
    environment: process.env,
    corefile: { file: path === undefined ? 'Corefile' : resolve(path), text },
    manifests: await readManifestFiles(flags.filename),
    listen: [first, ...others],
    clusterDomain,
    onProblem: ({ file, line, message }) => terminal.err(`! ${file}:${line}: ${message}`),
    onFatal: (error) => {
      terminal.err(`podwire: ${error.message}`);
      process.exitCode = EXIT.failure;
      process.kill(process.pid, 'SIGTERM');
    },
    ...(path === undefined ? {} : { readCorefile: () => readFile(path, 'utf8') }),
    ...(kube2sky === undefined
      ? {}
      : { kube2sky: { endpoint: kube2sky, layout: flags.kube2skyLayout } }),
  });
  try {
    if (flags.faults !== undefined) dns.setFaults(await fileText(flags.faults));
    return dns;
  } catch (error) {
    await dns[Symbol.asyncDispose]();
    throw error;
  }
}

async function fileText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CommandError(`${path}: ${errorMessage(error)}`, EXIT.usage);
  }
}

/** Without a Corefile: the cluster's names and nothing else. */
function plainCorefile(domain: string): string {
  return `.:53 {
    errors
    kubernetes ${domain} in-addr.arpa ip6.arpa {
        pods verified
        ttl 30
    }
    loadbalance
}
`;
}

function addListenAddress(
  text: string,
  others: readonly ListenAddress[] = [],
): readonly ListenAddress[] {
  return [...others, listenAddress(text)];
}

function listenAddress(text: string): ListenAddress {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (parseIp(address) === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('expected ADDRESS:PORT, e.g. 127.0.0.1:1053 or [::1]:1053');
  return { address, port: Number(port) };
}

import cluster from 'node:cluster';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import { formatHostPort, parseIp } from '../base/ip.ts';
import { createLogger, type LogFormat } from '../base/log.ts';
import { freshSeed, seededRandom } from '../base/random.ts';
import { type ListenAddress, StandaloneDns } from '../cluster/standalone-dns.ts';
import { readManifestFiles } from './manifest-files.ts';
import { awaitStopSignal } from './signals.ts';
import { CommandError, EXIT, type Terminal } from './terminal.ts';

interface DnsFlags {
  readonly corefile?: string;
  readonly filename: readonly string[];
  readonly listen: readonly ListenAddress[];
  readonly clusterDomain: string;
  readonly seed?: string;
  readonly workers: number;
  readonly kube2sky?: string;
  readonly kube2skyLayout: 'flat' | 'svc';
  readonly logLevel: string;
  readonly logFormat: LogFormat;
}

const DEFAULT_LISTEN: ListenAddress = { address: '127.0.0.1', port: 1053 };
const MAX_WORKERS = 64;

/** `podwire dns` and `podwire dns explain`. */
export function registerDns(program: Command, terminal: Terminal): void {
  const command = program
    .command('dns')
    .summary('serve DNS from a Corefile and manifests, without a cluster')
    .description(
      'Answers like CoreDNS from Services, EndpointSlices, Namespaces and Pods in manifests,\nand runs until Ctrl-C or SIGTERM. SIGHUP reads the Corefile again.',
    );
  addDnsOptions(command)
    .option('--workers <n>', 'processes that share the sockets', workerCount, 1)
    .addHelpText(
      'after',
      `
Examples:
  podwire dns -f manifests/ --listen 127.0.0.1:1053
  podwire dns --corefile Corefile -f services.yaml --cluster-domain cinyi.com
  podwire dns explain api.example.com -f manifests/ --from default/web-0`,
    );
  command.action(async (flags: DnsFlags) => {
    process.exitCode = await serve(flags, terminal);
  });
  const explain = command
    .command('explain <name> [type]')
    .summary('tell how a name is resolved, and why not')
    .option('--from <pod>', 'walk the search path of this pod of the manifests (NAMESPACE/NAME)');
  addDnsOptions(explain).action(
    async (name: string, type: string | undefined, _flags: unknown, self: Command) => {
      const flags = self.optsWithGlobals<DnsFlags & { from?: string }>();
      process.exitCode = await explainOnce(name, type, flags, terminal);
    },
  );
}

function addDnsOptions(command: Command): Command {
  return command
    .option('--corefile <file>', 'configuration in CoreDNS format')
    .option(
      '-f, --filename <path>',
      'manifest file, folder, or - for stdin; may be repeated',
      (path: string, paths: readonly string[]) => [...paths, path],
      [] as readonly string[],
    )
    .option(
      '--listen <address:port>',
      'where to answer; may be repeated (default 127.0.0.1:1053)',
      (text: string, others: readonly ListenAddress[]) => [...others, listenAddress(text)],
      [] as readonly ListenAddress[],
    )
    .option('--cluster-domain <name>', 'DNS domain of the cluster', 'cluster.local')
    .option('--seed <text>', 'make the same random decisions as another run')
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

async function serve(flags: DnsFlags, terminal: Terminal): Promise<number> {
  if (flags.workers > 1 && cluster.isPrimary) return supervise(flags.workers, terminal);
  let dns: StandaloneDns | undefined;
  const stop = awaitStopSignal(() => void dns?.[Symbol.asyncDispose]());
  const reload = (): void => void reloadNow(flags, dns, terminal);
  process.on('SIGHUP', reload);
  try {
    dns = await start(flags, terminal);
    for (const { address, port } of dns.addresses)
      terminal.err(`• DNS at ${formatHostPort(address, port)} (UDP and TCP)`);
    await stop.received;
    await dns.close();
    return EXIT.ok;
  } finally {
    process.off('SIGHUP', reload);
    stop.release();
  }
}

async function reloadNow(
  flags: DnsFlags,
  dns: StandaloneDns | undefined,
  terminal: Terminal,
): Promise<void> {
  if (dns === undefined || flags.corefile === undefined) return;
  try {
    await dns.apply(await readFile(flags.corefile, 'utf8'));
    terminal.err(`• ${flags.corefile} is in force`);
  } catch (error) {
    terminal.err(`! ${errorMessage(error)}; the old Corefile stays in force`);
  }
}

/** Workers share the sockets through the primary, which only waits for them. */
async function supervise(count: number, terminal: Terminal): Promise<number> {
  // Each worker accepts TCP connections itself instead of having them handed over.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const workers = Array.from({ length: count }, () => cluster.fork());
  const stop = awaitStopSignal(() => {
    for (const worker of workers) worker.process.kill('SIGKILL');
  });
  const ended = workers.map(
    (worker) =>
      new Promise<number>((settle) => {
        worker.once('exit', (code) => settle(code ?? EXIT.failure));
      }),
  );
  const passOn = async (): Promise<void> => {
    const signal = await stop.received;
    for (const worker of workers) worker.process.kill(signal);
  };
  void passOn();
  try {
    const codes = await Promise.all(ended);
    const failed = codes.find((code) => code !== EXIT.ok);
    if (failed !== undefined) terminal.err(`! a worker ended with exit code ${failed}`);
    return failed ?? EXIT.ok;
  } finally {
    stop.release();
  }
}

async function explainOnce(
  name: string,
  type: string | undefined,
  flags: DnsFlags & { readonly from?: string },
  terminal: Terminal,
): Promise<number> {
  const anywhere = [{ address: '127.0.0.1', port: 0 }];
  const dns = await start({ ...flags, listen: anywhere, logLevel: 'error' }, terminal);
  try {
    const { from } = flags;
    const question = {
      name,
      ...(type === undefined ? {} : { type }),
      ...(from === undefined ? {} : { from }),
    };
    terminal.out(await dns.explain(question));
    return EXIT.ok;
  } finally {
    await dns[Symbol.asyncDispose]();
  }
}

async function start(flags: DnsFlags, terminal: Terminal): Promise<StandaloneDns> {
  const { corefile: path, clusterDomain, kube2sky } = flags;
  const log = createLogger({ level: flags.logLevel, format: flags.logFormat });
  const [first = DEFAULT_LISTEN, ...others] = flags.listen;
  const text = path === undefined ? plainCorefile(clusterDomain) : await corefileText(path);
  return StandaloneDns.start({
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
}

async function corefileText(path: string): Promise<string> {
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

function listenAddress(text: string): ListenAddress {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (parseIp(address) === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError('expected ADDRESS:PORT, e.g. 127.0.0.1:1053 or [::1]:1053');
  return { address, port: Number(port) };
}

function workerCount(text: string): number {
  const count = Number(text);
  if (!(Number.isInteger(count) && count >= 1 && count <= MAX_WORKERS))
    throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_WORKERS}`);
  return count;
}

import cluster from 'node:cluster';
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { errorMessage } from '../base/errors.ts';
import { formatHostPort } from '../base/ip.ts';
import type { StandaloneDns } from '../cluster/standalone-dns.ts';
import { registerDnsExplain } from './dns-explain.ts';
import { registerDnsFaults } from './dns-faults.ts';
import { addDnsOptions, type DnsFlags, startDns } from './dns-options.ts';
import { registerDnsTrace } from './dns-trace.ts';
import { awaitStopSignal } from './signals.ts';
import { EXIT, type Terminal } from './terminal.ts';

interface ServeFlags extends DnsFlags {
  readonly workers: number;
}

const MAX_WORKERS = 64;
/** SIGHUP means reload, as it does to CoreDNS's peers. */
const DNS_STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** `podwire dns`: a server of its own, and what looks into the running cluster's. */
export function registerDns(program: Command, terminal: Terminal): void {
  const command = program
    .command('dns')
    .summary('serve DNS from a Corefile and manifests; explain and disturb DNS')
    .description(
      'Answers like CoreDNS from Services, EndpointSlices, Namespaces and Pods in manifests,\nand runs until Ctrl-C or SIGTERM. SIGHUP reads the Corefile and the faults again.',
    );
  addDnsOptions(command)
    .option('--workers <n>', 'processes that share the sockets', workerCount, 1)
    .addHelpText(
      'after',
      `
Examples:
  podwire dns -f manifests/ --listen 127.0.0.1:1053
  podwire dns --corefile Corefile -f services.yaml --cluster-domain cinyi.com
  podwire dns explain api.example.com -f manifests/ --from default/web-0

Of a running cluster:
  podwire dns explain redis-master --from default/web-0
  podwire dns trace --from default/web-0
  podwire dns faults set drop type=AAAA`,
    );
  command.action(async (flags: ServeFlags) => {
    process.exitCode = await serve(flags, terminal);
  });
  registerDnsExplain(command, terminal);
  registerDnsFaults(command, terminal);
  registerDnsTrace(command, terminal);
}

async function serve(flags: ServeFlags, terminal: Terminal): Promise<number> {
  if (flags.workers > 1 && cluster.isPrimary) return supervise(flags.workers, terminal);
  let dns: StandaloneDns | undefined;
  const stop = awaitStopSignal(() => void dns?.[Symbol.asyncDispose](), DNS_STOP_SIGNALS);
  const reload = (): void => void reloadNow(flags, dns, terminal);
  process.on('SIGHUP', reload);
  try {
    dns = await startDns(flags, terminal);
    for (const { address, port } of dns.addresses)
      terminal.err(`• DNS at ${formatHostPort(address, port)} (UDP and TCP)`);
    await stop.received;
    await dns.close();
    return EXIT.ok;
  } finally {
    process.off('SIGHUP', reload);
    stop.release();
    // The channel to the primary would keep a worker alive.
    cluster.worker?.disconnect();
  }
}

async function reloadNow(
  { corefile, faults }: ServeFlags,
  dns: StandaloneDns | undefined,
  terminal: Terminal,
): Promise<void> {
  if (dns === undefined) return;
  if (corefile !== undefined) await putInForce(corefile, terminal, async (text) => dns.apply(text));
  if (faults !== undefined) await putInForce(faults, terminal, (text) => dns.setFaults(text));
}

async function putInForce(
  path: string,
  terminal: Terminal,
  apply: (text: string) => void | Promise<void>,
): Promise<void> {
  try {
    await apply(await readFile(path, 'utf8'));
    terminal.err(`• ${path} is in force`);
  } catch (error) {
    terminal.err(`! ${errorMessage(error)}; the old ${path} stays in force`);
  }
}

/** Workers share the sockets through the primary, which only waits for them. */
async function supervise(count: number, terminal: Terminal): Promise<number> {
  // Each worker accepts TCP connections itself instead of having them handed over.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const workers = Array.from({ length: count }, () => cluster.fork());
  const stop = awaitStopSignal(() => {
    for (const worker of workers) worker.process.kill('SIGKILL');
  }, DNS_STOP_SIGNALS);
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
  const reload = (): void => {
    for (const worker of workers) worker.process.kill('SIGHUP');
  };
  process.on('SIGHUP', reload);
  try {
    const codes = await Promise.all(ended);
    const failed = codes.find((code) => code !== EXIT.ok);
    if (failed !== undefined) terminal.err(`! a worker ended with exit code ${failed}`);
    return failed ?? EXIT.ok;
  } finally {
    process.off('SIGHUP', reload);
    stop.release();
  }
}

function workerCount(text: string): number {
  const count = Number(text);
  if (!(Number.isInteger(count) && count >= 1 && count <= MAX_WORKERS))
    throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_WORKERS}`);
  return count;
}

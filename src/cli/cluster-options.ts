import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parse } from 'yaml';
import { errorMessage } from '../base/errors.ts';
import { createLogger, type LogFormat, type Logger } from '../base/log.ts';
import { freshSeed } from '../base/random.ts';
import {
  type ClusterConfig,
  type ClusterConfigInput,
  ENGINE_CHOICES,
  PROXY_MODES,
  resolveClusterConfig,
} from '../cluster/cluster-config.ts';
import { addOverlayOptions, type OverlayFlags, overlayInput } from './overlay-options.ts';
import { CommandError, EXIT } from './terminal.ts';

/** Options every command has that starts a cluster. */
export interface ClusterFlags extends OverlayFlags {
  readonly config?: string;
  readonly nodes?: number;
  readonly seed?: string;
  readonly proxyMode?: string;
  readonly ipvsScheduler?: string;
  readonly masqueradeAll?: boolean;
  readonly nodeportAddresses?: string;
  readonly detectLocal?: string;
  readonly engine?: string;
  readonly engineThreads?: number;
  readonly clusterDomain?: string;
  readonly podCidr?: string;
  readonly serviceCidr?: string;
  readonly nodeCidr?: string;
  readonly lbCidr?: string;
  readonly dnsListen?: string;
  readonly dnsUpstream?: string;
  readonly nodeMonitorPeriod?: string;
  readonly nodeMonitorGracePeriod?: string;
  readonly defaultNotReadyTolerationSeconds?: number;
  readonly defaultUnreachableTolerationSeconds?: number;
  readonly logLevel: string;
  readonly logFormat: LogFormat;
}

export function addClusterOptions(command: Command): Command {
  return addOverlayOptions(command)
    .option('--config <file>', 'YAML file with all of these and more (docs/configuration.md)')
    .option('--nodes <n>', 'how many nodes', wholeNumber)
    .option('--seed <text>', 'make the same random decisions as another run')
    .addOption(new Option('--proxy-mode <mode>', 'how Services are balanced').choices(PROXY_MODES))
    .option('--ipvs-scheduler <name>', 'rr, wlc, sh,sh-port … in ipvs mode (default rr)')
    .option('--masquerade-all', 'SNAT all traffic to cluster IPs')
    .option('--nodeport-addresses <blocks>', 'where node ports are served: all, primary or blocks')
    .option('--detect-local <detector>', 'cluster-cidr (default), node-cidr … or none')
    .addOption(
      new Option(
        '--engine <engine>',
        'what moves the bytes; podwire doctor shows what works',
      ).choices(ENGINE_CHOICES),
    )
    .option(
      '--engine-threads <n>',
      'forwarding threads of the engines epoll and uring (default 1)',
      wholeNumber,
    )
    .option('--cluster-domain <name>', 'DNS domain of the cluster (default cluster.local)')
    .option('--pod-cidr <cidr>', 'pod addresses (default 127.244.0.0/16)')
    .option('--service-cidr <cidr>', 'Service addresses (default 127.96.0.0/16)')
    .option('--node-cidr <cidr>', 'node addresses (default 127.18.0.0/16)')
    .option('--lb-cidr <cidr>', 'load balancer addresses (default 127.18.255.0/24)')
    .option('--dns-listen <address:port>', 'where DNS answers the host (default 127.0.0.1:1053)')
    .option('--dns-upstream <servers>', 'who knows other names: addresses or /etc/resolv.conf')
    .option(
      '--node-monitor-grace-period <duration>',
      'how long a node may be silent before it counts as lost (default 40s)',
    )
    .option('--node-monitor-period <duration>', 'how often nodes are looked at (default 5s)')
    .option(
      '--default-not-ready-toleration-seconds <seconds>',
      'how long pods stay on a node that is not ready (default 300)',
      wholeNumber,
    )
    .option(
      '--default-unreachable-toleration-seconds <seconds>',
      'how long pods stay on a node that is lost (default 300)',
      wholeNumber,
    )
    .addOption(
      new Option('--log-level <level>', 'what is logged to stderr')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    )
    .addOption(
      new Option('--log-format <format>', 'how it is logged')
        .choices(['text', 'json'])
        .default('text'),
    );
}

export function loggerFor(flags: ClusterFlags): Logger {
  return createLogger({ level: flags.logLevel, format: flags.logFormat });
}

/** Flags win over the file, the file over the defaults. Throws a CommandError that lists every error. */
export async function clusterConfigFor(
  flags: ClusterFlags,
  defaults: ClusterConfigInput = {},
): Promise<ClusterConfig> {
  const file = flags.config === undefined ? {} : await readConfigFile(flags.config);
  const input: ClusterConfigInput = {
    ...defaults,
    ...file,
    ...defined({
      nodes: flags.nodes,
      seed: flags.seed,
      proxyMode: flags.proxyMode,
      engine: flags.engine,
      engineThreads: flags.engineThreads,
    }),
    networking: {
      ...file.networking,
      ...defined({
        dnsDomain: flags.clusterDomain,
        podSubnet: flags.podCidr,
        serviceSubnet: flags.serviceCidr,
        nodeSubnet: flags.nodeCidr,
        loadBalancerPool: flags.lbCidr,
        dnsHostAddress: flags.dnsListen,
        dnsUpstream: flags.dnsUpstream,
      }),
    },
    kubeProxy: {
      ...file.kubeProxy,
      ...defined({
        ipvsScheduler: flags.ipvsScheduler,
        masqueradeAll: flags.masqueradeAll,
        nodePortAddresses: flags.nodeportAddresses,
        detectLocal: flags.detectLocal,
      }),
    },
    nodeLifecycle: {
      ...file.nodeLifecycle,
      ...defined({
        monitorPeriod: flags.nodeMonitorPeriod,
        monitorGracePeriod: flags.nodeMonitorGracePeriod,
        notReadyTolerationSeconds: flags.defaultNotReadyTolerationSeconds,
        unreachableTolerationSeconds: flags.defaultUnreachableTolerationSeconds,
      }),
    },
    overlay: { ...file.overlay, ...overlayInput(flags) },
  };
  const outcome = resolveClusterConfig(input, freshSeed());
  if (outcome.kind === 'ok') return outcome.config;
  const lines = outcome.errors.map(({ field, message }) => `  ${field}: ${message}`);
  throw new CommandError(['the configuration cannot work:', ...lines].join('\n'), EXIT.usage);
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('must be a whole number.');
  return Number(text);
}

/** Unknown keys and wrong types are refused, so that a typing mistake is not taken for a default. */
async function readConfigFile(path: string): Promise<ClusterConfigInput> {
  let content: unknown;
  try {
    content = parse(await readFile(path, 'utf8')) ?? {};
  } catch (error) {
    throw new CommandError(`${path}: ${errorMessage(error)}`, EXIT.usage);
  }
  const errors = checkShape(content, CONFIG_SHAPE, '');
  if (errors.length > 0)
    throw new CommandError(
      [`${path}:`, ...errors.map((error) => `  ${error}`)].join('\n'),
      EXIT.usage,
    );
  return content as ClusterConfigInput;
}

type Shape = { readonly [key: string]: 'string' | 'number' | 'boolean' | 'object' | Shape };

const CONFIG_SHAPE: Shape = {
  nodes: 'number',
  seed: 'string',
  proxyMode: 'string',
  engine: 'string',
  engineThreads: 'number',
  networking: {
    nodeSubnet: 'string',
    podSubnet: 'string',
    nodeCIDRMaskSize: 'number',
    serviceSubnet: 'string',
    clusterDNS: 'string',
    dnsDomain: 'string',
    loadBalancerPool: 'string',
    nodePortRange: 'string',
    dnsHostAddress: 'string',
    dnsUpstream: 'string',
  },
  kubeProxy: {
    ipvsScheduler: 'string',
    nodeModes: 'object',
    masqueradeAll: 'boolean',
    nodePortAddresses: 'string',
    detectLocal: 'string',
  },
  nodeLifecycle: {
    monitorPeriod: 'string',
    monitorGracePeriod: 'string',
    leaseDurationSeconds: 'number',
    notReadyTolerationSeconds: 'number',
    unreachableTolerationSeconds: 'number',
  },
  overlay: {
    backend: 'object',
    underlayMTU: 'number',
    acceptPartialChecksums: 'boolean',
    checkPeers: 'boolean',
    etcdEndpoints: 'string',
    etcdPrefix: 'string',
  },
};

function checkShape(value: unknown, shape: Shape, path: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [`${path || 'the document'}: must be a mapping`];
  return Object.entries(value).flatMap(([key, member]) => {
    const expected = shape[key];
    const field = path === '' ? key : `${path}.${key}`;
    if (expected === undefined)
      return [`${field}: unknown field; known here: ${Object.keys(shape).join(', ')}`];
    if (typeof expected === 'object') return checkShape(member, expected, field);
    if (typeof member === expected) return [];
    return [`${field}: must be a ${expected === 'object' ? 'mapping' : expected}`];
  });
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

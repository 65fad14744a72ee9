import { formatHostPort, parseIp } from '../../../base/ip.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Token } from '../../corefile/lexer.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { parseZones } from '../../corefile/zone-key.ts';
import { rcodeCode } from '../../message/codes.ts';
import {
  durationArgument,
  expectThat,
  integerArgument,
  noArguments,
  oneArgument,
  unknownOption,
  zoneArguments,
  type FileReader,
} from '../../plugin/setup.ts';

export interface UpstreamAddress {
  readonly address: string;
  readonly port: number;
}

export type UpstreamPolicy = 'random' | 'round_robin' | 'sequential';

export interface ForwardOptions {
  /** Folded; names in it are forwarded. */
  readonly from: string;
  readonly to: readonly UpstreamAddress[];
  readonly except: readonly string[];
  readonly forceTcp: boolean;
  readonly preferUdp: boolean;
  readonly expireMs: number;
  readonly policy: UpstreamPolicy;
  /** 0: upstreams are never considered down. */
  readonly maxFails: number;
  readonly healthCheckMs: number;
  readonly healthCheckDomain: string;
  readonly healthCheckRecursion: boolean;
  /** 0: no limit but the server's own. */
  readonly maxConcurrent: number;
  readonly readTimeoutMs: number;
  readonly failFast: boolean;
  /** Sockets kept for each upstream and protocol; 0: as many as are useful. */
  readonly maxIdle: number;
  /** Upstreams asked for one query, together; 0: two times each. */
  readonly maxAttempts: number;
  /** Replies with these codes go to the next `forward`, if there is one. */
  readonly next: readonly number[];
  /** So do replies without an answer. */
  readonly nextOnNoData: boolean;
  /** Replies with these codes make another upstream be asked. */
  readonly failover: readonly number[];
}

export const MAX_UPSTREAMS = 15;
const DNS_PORT = 53;
const OPTIONS = [
  'except',
  'force_tcp',
  'prefer_udp',
  'expire',
  'max_fails',
  'tls',
  'tls_servername',
  'policy',
  'health_check',
  'max_concurrent',
  'max_idle_conns',
  'max_connect_attempts',
  'next',
  'next_on_nodata',
  'failover',
  'read_timeout',
  'failfast_all_unhealthy_upstreams',
];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export async function parseForwardOptions(
  directive: Directive,
  files: FileReader,
): Promise<ForwardOptions> {
  const [from, ...to] = directive.args;
  if (from === undefined || to.length === 0)
    throw new CorefileError(directive.name, 'forward needs a zone and at least one upstream');
  const zones = parseZones(from.text, from);
  const [zone] = zones;
  if (zone === undefined || zones.length > 1)
    throw new CorefileError(from, `forward '${from.text}'; expected one zone or an octet CIDR`);
  const upstreams: UpstreamAddress[] = [];
  for (const token of to) upstreams.push(...(await upstreamsOf(token, files)));
  expectThat(
    upstreams.length <= MAX_UPSTREAMS,
    directive.name,
    `more than ${MAX_UPSTREAMS} TOs configured: ${upstreams.length}`,
  );
  const options: Mutable<ForwardOptions> = defaultForwardOptions(zone, upstreams);
  for (const option of directive.block ?? []) applyOption(options, option);
  return options;
}

/** CoreDNS's defaults; `from` folded. */
export function defaultForwardOptions(
  from: string,
  to: readonly UpstreamAddress[],
): ForwardOptions {
  return {
    from,
    to,
    except: [],
    forceTcp: false,
    preferUdp: false,
    expireMs: 10_000,
    policy: 'random',
    maxFails: 2,
    healthCheckMs: 500,
    healthCheckDomain: '.',
    healthCheckRecursion: true,
    maxConcurrent: 0,
    readTimeoutMs: 2000,
    failFast: false,
    maxIdle: 0,
    maxAttempts: 0,
    next: [],
    nextOnNoData: false,
    failover: [],
  };
}

function applyOption(options: Mutable<ForwardOptions>, option: Directive): void {
  const { name, args } = option;
  switch (name.text) {
    case 'except':
      options.except = zoneArguments(args, []);
      break;
    case 'force_tcp':
      noArguments(option);
      options.forceTcp = true;
      break;
    case 'prefer_udp':
      noArguments(option);
      options.preferUdp = true;
      break;
    case 'failfast_all_unhealthy_upstreams':
      noArguments(option);
      options.failFast = true;
      break;
    case 'expire':
      options.expireMs = durationArgument(oneArgument(option, 'a duration'), 'expire');
      break;
    case 'read_timeout':
      options.readTimeoutMs = durationArgument(oneArgument(option, 'a duration'), 'read_timeout');
      break;
    case 'max_fails':
      options.maxFails = countOf(option);
      break;
    case 'max_concurrent':
      options.maxConcurrent = countOf(option);
      break;
    case 'max_idle_conns':
      options.maxIdle = countOf(option);
      break;
    case 'max_connect_attempts':
      options.maxAttempts = countOf(option);
      break;
    case 'next_on_nodata':
      noArguments(option);
      options.nextOnNoData = true;
      break;
    case 'policy':
      options.policy = policyOf(oneArgument(option, 'random, round_robin or sequential'));
      break;
    case 'health_check':
      applyHealthCheck(options, option);
      break;
    case 'next':
      options.next = args.map(rcodeOf);
      break;
    case 'failover':
      options.failover = args.map(rcodeOf);
      break;
    case 'tls':
    case 'tls_servername':
    case 'doh_method':
      throw new CorefileError(name, 'forward over TLS is not supported; use plain upstreams');
    case 'resolver':
      throw new CorefileError(name, 'resolver is for upstreams that are names; use addresses');
    default:
      unknownOption('forward', name, OPTIONS);
  }
}

function countOf(option: Directive): number {
  const token = oneArgument(option, 'a number');
  return integerArgument(token, option.name.text, { min: 0, max: 2 ** 31 - 1 });
}

function policyOf(token: Token): UpstreamPolicy {
  const { text } = token;
  if (text === 'random' || text === 'round_robin' || text === 'sequential') return text;
  throw new CorefileError(token, `policy '${text}'; expected random, round_robin or sequential`);
}

/** `health_check DURATION [no_rec] [domain FQDN]`. */
function applyHealthCheck(options: Mutable<ForwardOptions>, { name, args }: Directive): void {
  const [duration, ...words] = args;
  if (duration === undefined) throw new CorefileError(name, 'health_check needs a duration');
  options.healthCheckMs = durationArgument(duration, 'health_check');
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index];
    const domain = words[index + 1];
    if (word?.text === 'no_rec') options.healthCheckRecursion = false;
    else if (word?.text === 'domain' && domain !== undefined) {
      options.healthCheckDomain = parseZones(domain.text, domain)[0] ?? '.';
      index += 1;
    } else {
      throw new CorefileError(word ?? name, "health_check: expected 'no_rec' or 'domain NAME'");
    }
  }
}

function rcodeOf(token: Token): number {
  const code = rcodeCode(token.text);
  if (code === undefined)
    throw new CorefileError(token, `'${token.text}' is not a response code such as NXDOMAIN`);
  return code;
}

/** An address with or without port, or a resolv.conf file. */
async function upstreamsOf(token: Token, files: FileReader): Promise<UpstreamAddress[]> {
  const { text } = token;
  const plain = text.replace(/^dns:\/\//, '');
  if (/^[a-z0-9]+:\/\//.test(plain))
    throw new CorefileError(token, `upstream '${text}'; only plain DNS upstreams are supported`);
  const direct = parseUpstream(plain);
  if (direct !== undefined) return [direct];
  if (!text.includes('/')) throw new CorefileError(token, `not an IP address or file: "${text}"`);
  let content: string;
  try {
    content = await files.read(text);
  } catch (error) {
    throw new CorefileError(token, `not an IP address or file: "${text}"`, { cause: error });
  }
  const servers = [...content.matchAll(/^\s*nameserver\s+(\S+)/gm)].flatMap(
    ([, address = '']) => parseUpstream(address.split('%')[0] ?? '') ?? [],
  );
  if (servers.length === 0) throw new CorefileError(token, `no nameservers found in "${text}"`);
  return servers;
}

function parseUpstream(text: string): UpstreamAddress | undefined {
  if (parseIp(text) !== undefined) return { address: text, port: DNS_PORT };
  const [, bracketed, plain = '', port = ''] =
    /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (parseIp(address) === undefined || Number(port) > 65_535) return undefined;
  return { address, port: Number(port) };
}

export function upstreamLabel({ address, port }: UpstreamAddress): string {
  return formatHostPort(address, port);
}

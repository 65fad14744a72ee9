import { parseGoDurationMs } from '../../base/go-duration.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { Random } from '../../base/random.ts';
import { CorefileError, type Position } from '../corefile/corefile-error.ts';
import type { Found } from '../backend/backend.ts';
import type { Token } from '../corefile/lexer.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { parseZones } from '../corefile/zone-key.ts';
import { matchingZone } from '../message/name.ts';
import type { AskedQuestion, UpstreamFailure } from '../faults/dns-fault.ts';
import type { DnsSource } from '../source/dns-source.ts';
import type { DnsRequest, Plugin } from './plugin.ts';
import type { ConnectKeyValue } from './key-value.ts';
import type { DnsMessage, ResourceRecord } from '../message/message.ts';
import type { HttpEndpoints } from '../metrics/http-endpoints.ts';
import type { MetricFamilies } from '../metrics/metric-families.ts';
import type { RequestMetrics } from '../metrics/request-metrics.ts';

/** Files a Corefile names. */
export interface FileReader {
  /** UTF-8 text; rejects with Node's error. */
  read(path: string): Promise<string>;
}

/** What plugins may use of the world, given by whoever starts the server. */
export interface DnsEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Absent: the kubernetes plugin cannot be used. */
  readonly source?: DnsSource;
  /** Absent: the etcd plugin cannot be used. */
  readonly connectEtcd?: ConnectKeyValue;
  /** Default: the machine's files. */
  readonly files?: FileReader;
  /** Addresses clients reach this server on; NS records of a cluster zone point there. */
  readonly localAddresses: readonly string[];
  /**
   * Where HTTP endpoints listen when the Corefile names no address or localhost: a pod has both for
   * itself. Absent: as the Corefile says.
   */
  readonly hostAddress?: string;
  /** The Corefile as it is now, for the reload plugin. Absent: it never changes. */
  readonly readCorefile?: () => Promise<string>;
  /** The pod, `NAMESPACE/NAME`, that has an address: who asked, in traces. */
  readonly podOf?: (address: string) => string | undefined;
  /** A plugin found that the server must not go on (a forwarding loop). */
  readonly onFatal?: (error: Error) => void;
}

/** A plugin that was set up, under its name. */
export interface NamedInstance {
  readonly name: string;
  readonly instance: PluginInstance;
}

/** One server block as its plugins see it while they are set up. */
export interface SetupContext extends Omit<DnsEnvironment, 'metrics' | 'files'> {
  /** Zones of the block's keys, folded. */
  readonly zones: readonly string[];
  /** `dns://:53`. */
  readonly server: string;
  readonly port: number;
  readonly families: MetricFamilies;
  readonly requests: RequestMetrics;
  readonly http: HttpEndpoints;
  readonly files: FileReader;
  /** Plugins of this block; complete once the first query comes. */
  readonly siblings: () => readonly NamedInstance[];
  /** Plugins of all blocks; complete once they start. */
  readonly everyone: () => readonly NamedInstance[];
  /** Asks this server, as one of its clients would. */
  readonly resolve: (name: string, type: number) => Promise<DnsMessage>;
  /** Puts another Corefile in force; rejects, with the old one still in force, when it is no good. */
  readonly apply: (text: string) => Promise<void>;
  /** How asking an upstream is to fail, while faults are in force. */
  readonly upstreamFailure: (asked: AskedQuestion) => UpstreamFailure | undefined;
}

/** A plugin that can hand out a whole zone. */
export interface Transferer {
  /** Folded zones it is authoritative for. */
  readonly zones: readonly string[];
  /** From SOA to SOA; undefined when it does not have the zone. */
  transfer(zone: string): readonly ResourceRecord[] | undefined;
}

/** Where a pod's search path comes from: the kubernetes plugin. */
export interface SearchPathSource {
  /** Domains without the host's own; undefined for addresses that are no pod's. */
  searchPath(client: string, name: string): readonly string[] | undefined;
}

/** A Service as k8s_external names it. */
export interface ExternalService {
  /** Left of the zone: Service, namespace. */
  readonly labels: readonly [string, string];
  /** Labels of its named ports, `['_http', '_tcp']`. */
  readonly ports: readonly (readonly [string, string])[];
}

/** What k8s_external asks of the kubernetes plugin. */
export interface ExternalSource {
  readonly synced: boolean;
  readonly serial: number;
  /** Entries of `labels` (left of the zone, folded) by external address; `zone` as asked. */
  find(labels: readonly string[], zone: string, options: { readonly headless: boolean }): Found;
  /** Every Service that may be shown and has something to show, in order. */
  services(options: { readonly headless: boolean }): readonly ExternalService[];
  /** Services that have the external address, as names below `zone`. */
  findReverse(address: string, zone: string, options: { readonly headless: boolean }): Found;
}

/** What a directive turns into. Everything is optional: `health` only starts and stops. */
export interface PluginInstance {
  readonly plugin?: Plugin;
  readonly transferer?: Transferer;
  readonly searchPaths?: SearchPathSource;
  readonly external?: ExternalSource;
  /** Puts what the plugin knows of a query into its metadata. */
  readonly describe?: (request: DnsRequest) => void;
  /** Every query of the server is traced into the log. */
  readonly traces?: boolean;
  /** For /ready; absent counts as ready. */
  readonly ready?: () => boolean;
  /** Runs before the first query; a failure refuses the Corefile. */
  start?(): Promise<void>;
  /** Runs before the server stops answering; the server answers until it resolves. */
  drain?(): Promise<void>;
  /** Runs after the last query. */
  close?(): Promise<void>;
}

export interface PluginModule {
  readonly name: string;
  /** All occurrences of the directive in one server block, in order. Throws {@link CorefileError}. */
  setup(
    directives: readonly [Directive, ...Directive[]],
    context: SetupContext,
  ): PluginInstance | Promise<PluginInstance>;
}

/** For directives that make no sense twice. */
export function once(directives: readonly [Directive, ...Directive[]]): Directive {
  const second = directives[1];
  if (second !== undefined)
    throw new CorefileError(
      second.name,
      `plugin/${second.name.text}: this plugin can only be used once per Server Block`,
    );
  return directives[0];
}

export function unknownOption(plugin: string, option: Token, expected: readonly string[]): never {
  throw new CorefileError(
    option,
    `plugin/${plugin}: unknown property '${option.text}'; expected one of ${expected.join(', ')}`,
  );
}

/** The only argument; `what` names it in the error. */
export function oneArgument(directive: Directive, what: string): Token {
  const [first, second] = directive.args;
  if (first === undefined || second !== undefined)
    throw new CorefileError(
      directive.name,
      `${directive.name.text} needs exactly one argument: ${what}`,
    );
  return first;
}

export function noArguments(directive: Directive): void {
  const extra = directive.args[0];
  if (extra !== undefined)
    throw new CorefileError(extra, `${directive.name.text} takes no arguments`);
}

export function integerArgument(
  token: Token,
  what: string,
  range: { readonly min: number; readonly max: number },
): number {
  const value = /^-?\d+$/.test(token.text) ? Number(token.text) : Number.NaN;
  if (!(value >= range.min && value <= range.max))
    throw new CorefileError(
      token,
      `${what} is '${token.text}'; expected a whole number from ${range.min} to ${range.max}`,
    );
  return value;
}

/** Go's notation (`1h15m30.5s`); a bare number is in seconds where CoreDNS takes one. Milliseconds. */
export function durationArgument(token: Token, what: string): number {
  if (/^\d+$/.test(token.text)) return Number(token.text) * 1000;
  const durationMs = parseGoDurationMs(token.text);
  if (durationMs === undefined)
    throw new CorefileError(
      token,
      `${what} is '${token.text}'; expected a duration such as 500ms, 5s or 1m30s`,
    );
  return durationMs;
}

/** Zones given as arguments, or the block's. */
export function zoneArguments(args: readonly Token[], fallback: readonly string[]): string[] {
  if (args.length === 0) return [...fallback];
  return args.flatMap((token) => parseZones(token.text, token));
}

/** `fallthrough [ZONE...]`: which names may go on to the next plugin after NXDOMAIN. */
export interface Fallthrough {
  readonly zones: readonly string[];
}

/** Whether a name that was not found goes on to the next plugin. `name` folded. */
export function fallsThrough(fallthrough: Fallthrough | undefined, name: string): boolean {
  return fallthrough !== undefined && matchingZone(fallthrough.zones, name) !== undefined;
}

export function fallthroughArgument(directive: Directive): Fallthrough {
  return { zones: zoneArguments(directive.args, ['.']) };
}

/** A CorefileError when `condition` does not hold. */
export function expectThat(condition: boolean, at: Position, problem: string): asserts condition {
  if (!condition) throw new CorefileError(at, problem);
}

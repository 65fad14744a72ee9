import type { Node, Protocol } from '../api/types/core.ts';
import { type Cidr, formatIp, type IpAddress, parseCidr, parseIp } from '../base/ip.ts';
import type { Flow, SocketAddress } from '../proxy/flow.ts';
import {
  type IpvsSchedulerSetting,
  parseIpvsScheduler,
} from '../proxy/modes/ipvs-scheduler-setting.ts';
import { isProxyModeName, PROXY_MODES } from '../proxy/modes/mode-table.ts';
import type { LocalDetector } from '../proxy/node-context.ts';
import type { ProxyModeName } from '../proxy/proxy-mode.ts';

/** A value that a flag cannot have. `field` is the flag; the message says what it takes. */
export class FlagError extends Error {
  readonly field: string;

  constructor(field: string, message: string) {
    super(`${field}: ${message}`);
    this.name = 'FlagError';
    this.field = field;
  }
}

const EVERY_ADDRESS = '0.0.0.0/0,::/0';

/** Ports that the client's end has where nobody says. */
const ANY_PORT = 40_000;

export function parseProxyMode(text: string): ProxyModeName {
  if (isProxyModeName(text)) return text;
  throw new FlagError(
    '--proxy-mode',
    `"${text}" is no proxy mode; use one of ${Object.keys(PROXY_MODES).join(', ')}`,
  );
}

export function parseSchedulerFlag(text: string): IpvsSchedulerSetting {
  const parsed = parseIpvsScheduler(text);
  if (parsed.kind === 'ok') return parsed.setting;
  throw new FlagError('--ipvs-scheduler', parsed.problem);
}

export function parseNodeIP(text: string): string {
  const ip = parseIp(text);
  if (ip === undefined) throw new FlagError('--node-ip', `"${text}" is no IP address`);
  return formatIp(ip);
}

/** `primary`, `all`, or blocks separated by commas. */
export function parseNodePortAddresses(text: string): 'primary' | readonly Cidr[] {
  if (text === 'primary') return 'primary';
  return parseCidrs('--nodeport-addresses', text === 'all' ? EVERY_ADDRESS : text);
}

export function parseCidrs(field: string, text: string): readonly Cidr[] {
  return text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const cidr = parseCidr(part.trim(), { allowHostBits: true });
      if (cidr === undefined)
        throw new FlagError(field, `"${part}" is no block; write it as 192.0.2.0/24`);
      return cidr;
    });
}

/** A detector as it is asked for; `pods`: the blocks are the node's own pod CIDRs. */
export interface DetectorSetting {
  readonly mode: LocalDetector['mode'];
  readonly cidrs: readonly Cidr[] | 'pods';
  readonly interfaceName?: string;
}

/**
 * `cluster-cidr=BLOCKS`, `node-cidr` (the Node's podCIDRs, or `=BLOCKS`), `bridge-interface=NAME`,
 * `interface-name-prefix=PREFIX` (both: the node's pods), or `none`.
 */
export function parseDetector(text: string): DetectorSetting | 'none' {
  const field = '--detect-local';
  const [name, value = ''] = splitOnce(text, '=');
  if (name === 'none') return 'none';
  const mode = DETECTORS[name.toLowerCase().replaceAll('-', '')];
  if (mode === undefined)
    throw new FlagError(
      field,
      `"${name}" is no detector; use cluster-cidr=BLOCK, node-cidr, bridge-interface=NAME, interface-name-prefix=PREFIX or none`,
    );
  if (mode === 'BridgeInterface' || mode === 'InterfaceNamePrefix') {
    if (value === '') throw new FlagError(field, `${name} needs a name: ${name}=cni0`);
    return { mode, interfaceName: value, cidrs: 'pods' };
  }
  if (mode === 'NodeCIDR' && value === '') return { mode, cidrs: 'pods' };
  return { mode, cidrs: parseCidrs(field, value) };
}

/** The detector on a node with these pods; undefined where there is nothing to tell pods by. */
export function localDetector(
  setting: DetectorSetting | 'none',
  pods: readonly Cidr[],
): LocalDetector | undefined {
  if (setting === 'none') return undefined;
  const cidrs = setting.cidrs === 'pods' ? pods : setting.cidrs;
  const detector = { ...setting, cidrs };
  return cidrs.length > 0 || setting.interfaceName !== undefined ? detector : undefined;
}

/** `--detect-local` on a node as the API has it. */
export function parseDetectLocal(text: string, node: Node | undefined): LocalDetector | undefined {
  return localDetector(
    parseDetector(text),
    podCIDRs(node).flatMap((cidr) => parseCidr(cidr, { allowHostBits: true }) ?? []),
  );
}

const DETECTORS: Readonly<Record<string, LocalDetector['mode']>> = {
  clustercidr: 'ClusterCIDR',
  nodecidr: 'NodeCIDR',
  bridgeinterface: 'BridgeInterface',
  interfacenameprefix: 'InterfaceNamePrefix',
};

/** `--from SRC[:PORT]` and `--to DST:PORT[/udp]`; IPv6 with a port in brackets. */
export function parseFlow(from: string, to: string): Flow {
  const [address, protocolText = 'tcp'] = splitOnce(to, '/');
  const protocol = protocolText.toUpperCase();
  if (!isProtocol(protocol))
    throw new FlagError('--to', `"${protocolText}" is no protocol; use tcp, udp or sctp`);
  const destination = parseEnd('--to', address);
  if (destination.port === undefined)
    throw new FlagError('--to', `"${to}" names no port; write it as 10.96.0.10:53/udp`);
  const source = parseEnd('--from', from);
  if (source.ip.family !== destination.ip.family)
    throw new FlagError('--from', `"${from}" and "${to}" are of different IP families`);
  return {
    protocol,
    source: socketAddress(source.ip, source.port ?? ANY_PORT),
    destination: socketAddress(destination.ip, destination.port),
  };
}

interface End {
  readonly ip: IpAddress;
  readonly port: number | undefined;
}

function parseEnd(field: string, text: string): End {
  const bare = parseIp(text);
  if (bare !== undefined) return { ip: bare, port: undefined };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const ip = parseIp(match?.[1] ?? match?.[2] ?? '');
  if (match === null || ip === undefined)
    throw new FlagError(
      field,
      `"${text}" is no address; write it as 10.244.1.7, 10.244.1.7:80 or [2001:db8::1]:80`,
    );
  if (match[3] === undefined) return { ip, port: undefined };
  const port = Number(match[3]);
  if (port < 1 || port > 65_535)
    throw new FlagError(field, `port ${match[3]} is out of range; it must be 1 to 65535`);
  return { ip, port };
}

function socketAddress(ip: IpAddress, port: number): SocketAddress {
  return { address: formatIp(ip), port };
}

function isProtocol(text: string): text is Protocol {
  return text === 'TCP' || text === 'UDP' || text === 'SCTP';
}

function podCIDRs(node: Node | undefined): readonly string[] {
  if (node?.spec.podCIDRs?.length) return node.spec.podCIDRs;
  return node?.spec.podCIDR === undefined ? [] : [node.spec.podCIDR];
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

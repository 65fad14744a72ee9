import type { JsonObject } from './case-folded.ts';

export interface VxlanConf {
  readonly type: 'vxlan';
  readonly vni: number;
  /** UDP, of every VTEP. */
  readonly port: number;
  /** Largest packet of the underlay, where it is not the interface's own. The pods' is smaller. */
  readonly mtu: number | undefined;
  /** Nodes of one network reach each other without encapsulation. */
  readonly directRouting: boolean;
  /** The VTEP learns where inner MACs are from what it receives, beside what leases say. */
  readonly learning: boolean;
  /** First two octets of generated VTEP MACs, for example `0E-2A`; default: random. */
  readonly macPrefix: string | undefined;
}

export interface HostGwConf {
  readonly type: 'host-gw';
}

export type BackendConf = VxlanConf | HostGwConf;

/** What reads the keys of each backend that podwire has. */
const BACKENDS: {
  readonly [Type in BackendConf['type']]: (
    json: JsonObject,
    problems: string[],
  ) => Extract<BackendConf, { type: Type }>;
} = {
  vxlan: parseVxlan,
  'host-gw': () => ({ type: 'host-gw' }),
};

/** Backends of flannel that podwire does not have. */
const FOREIGN_BACKENDS: readonly string[] = [
  'udp',
  'wireguard',
  'ipip',
  'alloc',
  'extension',
  'ipsec',
  'tencent-vpc',
];

/** Linux's own default, which flannel gets by saying 0. IANA's is 4789. */
const DEFAULT_PORT = 8472;
const MAX_VNI = 0xff_ffff;
/** RFC 791: every module must be able to forward 68 octets; the tunnel takes 50. */
const MIN_UNDERLAY_MTU = 68 + 50;
const MAC_PREFIX = /^[0-9a-fA-F]{2}-[0-9a-fA-F]{2}$/;

/** Undefined when there is a problem with the type; other problems come with a usable result. */
export function parseBackend(json: JsonObject, problems: string[]): BackendConf | undefined {
  const before = problems.length;
  const backend = json.object('Backend', problems);
  if (problems.length > before) return undefined;
  // flannel's documentation says vxlan; its code says udp.
  const type = (backend?.string('Type', '', problems) ?? 'udp').toLowerCase();
  if (backend !== undefined && isKnown(type)) return BACKENDS[type](backend, problems);
  const remedy = 'use {"Type": "vxlan"} or {"Type": "host-gw"}';
  if (backend === undefined)
    problems.push(`Backend: missing, which means udp, which podwire does not have: ${remedy}`);
  else if (FOREIGN_BACKENDS.includes(type))
    problems.push(`Backend.Type: podwire does not have ${type}: ${remedy}`);
  else problems.push(`Backend.Type: unknown backend type: "${type}": ${remedy}`);
  return undefined;
}

function isKnown(type: string): type is BackendConf['type'] {
  return Object.hasOwn(BACKENDS, type);
}

function parseVxlan(json: JsonObject, problems: string[]): VxlanConf {
  const port = json.unsigned('Port', 65_535, 0, problems);
  const mtu = json.unsigned('MTU', 65_536, 0, problems);
  if (mtu !== 0 && mtu < MIN_UNDERLAY_MTU)
    problems.push(`Backend.MTU: ${mtu} is too small: use ${MIN_UNDERLAY_MTU} or more`);
  if (json.boolean('GBP', false, problems))
    problems.push('Backend.GBP: podwire has no group policy extension: leave it out');
  const macPrefix = json.string('MacPrefix', undefined, problems);
  if (macPrefix !== undefined && !isUnicastPrefix(macPrefix))
    problems.push(`Backend.MacPrefix: "${macPrefix}" is no unicast prefix such as 0E-2A`);
  return {
    type: 'vxlan',
    vni: json.unsigned('VNI', MAX_VNI, 1, problems),
    port: port === 0 ? DEFAULT_PORT : port,
    mtu: mtu === 0 ? undefined : mtu,
    directRouting: json.boolean('DirectRouting', false, problems),
    learning: json.boolean('Learning', false, problems),
    macPrefix,
  };
}

function isUnicastPrefix(text: string): boolean {
  return MAC_PREFIX.test(text) && Number.parseInt(text.slice(0, 2), 16) % 2 === 0;
}

import { errorMessage } from '../base/errors.ts';
import type { Cidr } from '../base/ip.ts';
import { type BackendConf, parseBackend } from './backend-conf.ts';
import { caseFolded, type JsonObject } from './case-folded.ts';
import { type FamilyConf, parseFamily } from './net-conf-family.ts';

/** What net-conf.json says: the pod network and how nodes reach each other. */
export interface NetConf {
  readonly ipv4: FamilyConf | undefined;
  readonly ipv6: FamilyConf | undefined;
  /** Read and kept; podwire has no firewall to write. */
  readonly enableNftables: boolean;
  readonly backend: BackendConf;
}

export type NetConfOutcome =
  | { readonly kind: 'ok'; readonly conf: NetConf }
  /** Every problem, each with its key. */
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/**
 * Reads net-conf.json as flannel does (pkg/subnet/config.go): keys match in any case, unknown keys are ignored, null
 * leaves the default, a wrong type is a refusal. Unlike flannel, which checks the ranges only with etcd, it checks
 * them always.
 */
export function parseNetConf(text: string): NetConfOutcome {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { kind: 'invalid', problems: [`net-conf.json is not JSON: ${errorMessage(error)}`] };
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return { kind: 'invalid', problems: ['net-conf.json must be a JSON object'] };
  return fromObject(caseFolded(json));
}

/** The pod networks of the configuration, IPv4 first. */
export function networksOf(conf: NetConf): Cidr[] {
  return [conf.ipv4, conf.ipv6].flatMap((family) => (family === undefined ? [] : [family.network]));
}

function fromObject(json: JsonObject): NetConfOutcome {
  const problems: string[] = [];
  const enableIpv4 = json.boolean('EnableIPv4', true, problems);
  const enableIpv6 = json.boolean('EnableIPv6', false, problems);
  const enableNftables = json.boolean('EnableNFTables', false, problems);
  if (!enableIpv4 && !enableIpv6)
    problems.push('EnableIPv4, EnableIPv6: at least one must be true');
  const ipv4 = enableIpv4 ? parseFamily(json, 'IPv4', problems) : undefined;
  const ipv6 = enableIpv6 ? parseFamily(json, 'IPv6', problems) : undefined;
  const backend = parseBackend(json, problems);
  if (problems.length > 0 || backend === undefined) return { kind: 'invalid', problems };
  return { kind: 'ok', conf: { ipv4, ipv6, enableNftables, backend } };
}

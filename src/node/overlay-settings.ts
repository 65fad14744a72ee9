import { PodwireError } from '../base/errors.ts';
import type { Cidr } from '../base/ip.ts';
import { type NetConf, parseNetConf } from '../overlay/net-conf.ts';

/** What the nodes of a cluster have in common. */
export interface OverlaySettings {
  /** The text of net-conf.json. */
  readonly netConf: string;
  /** The nodes' own network: what is reached without encapsulation. */
  readonly nodeNetwork: Cidr;
  /** Largest packet between nodes: 65,536 on loopback, 1500 for the usual 1450 inside. */
  readonly underlayMtu: number;
  /** Take inner checksums that a kernel left to hardware that is not there; they are counted either way. */
  readonly acceptPartialChecksums: boolean;
  /** Drop what comes from hosts that no lease names, which a kernel does not do. */
  readonly checkPeers: boolean;
  /** Where leases are, if not in the Nodes. */
  readonly etcd: { readonly endpoints: readonly string[]; readonly prefix: string } | undefined;
}

/** Throws with code NET_CONF where net-conf.json is refused. */
export function readNetConf(text: string): NetConf {
  const outcome = parseNetConf(text);
  if (outcome.kind === 'ok') return outcome.conf;
  throw new PodwireError('NET_CONF', `net-conf.json: ${outcome.problems.join('; ')}`);
}

/** Everything that is wrong with a net-conf.json, each problem with its key. */
export function netConfProblems(text: string): readonly string[] {
  const outcome = parseNetConf(text);
  return outcome.kind === 'ok' ? [] : outcome.problems;
}

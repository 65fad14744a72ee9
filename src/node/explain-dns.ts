import type { Pod } from '../api/types/core.ts';
import { PodwireError } from '../base/errors.ts';
import { ADDRESS_TYPES, explainName } from '../dns/explain/explain.ts';
import { formatExplanation } from '../dns/explain/format-explanation.ts';
import { typeCode } from '../dns/message/codes.ts';
import { podResolvConf, type ResolvConf } from '../dns/resolv-conf/resolv-conf.ts';
import type { DnsServer } from '../dns/server/dns-server.ts';

/** What is asked, and for whom. */
export interface DnsQuestion {
  readonly name: string;
  /** `A`; absent: A and AAAA, as getaddrinfo asks. */
  readonly type?: string;
  /** The pod that asks, `NAMESPACE/NAME` or a name in `default`; absent: the name is asked as it is. */
  readonly from?: string;
}

/** Where the pods are and how their resolv.conf is made. */
export interface ExplainSurroundings {
  readonly pods: readonly Pod[];
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly host: ResolvConf;
}

const AS_GIVEN: ResolvConf = { nameservers: [], searches: [], options: ['ndots:0'] };

/**
 * Walks a name as a resolver would, asking `server`, and tells how each answer came about. Throws a PodwireError with
 * code `DNS_EXPLAIN` for a pod or type that does not exist.
 */
export async function explainDns(
  server: DnsServer,
  { name, type, from }: DnsQuestion,
  surroundings: ExplainSurroundings,
): Promise<string> {
  const code = type === undefined ? undefined : typeCode(type);
  if (type !== undefined && code === undefined)
    throw new PodwireError('DNS_EXPLAIN', `'${type}' is not a record type such as A or SRV`);
  const pod = from === undefined ? undefined : findPod(surroundings.pods, from);
  const resolvConf = pod === undefined ? AS_GIVEN : resolvConfOf(pod, surroundings);
  const address = pod?.status?.podIP ?? '127.0.0.1';
  const explanation = await explainName({
    name,
    types: code === undefined ? ADDRESS_TYPES : [code],
    resolvConf,
    peer: {
      address,
      port: 0,
      family: address.includes(':') ? 'IPv6' : 'IPv4',
      protocol: 'udp',
    },
    ask: (message, peer) => server.trace(message, peer),
  });
  const asked = pod === undefined ? '' : `${describeAsker(pod, address, resolvConf)}\n\n`;
  return `${asked}${formatExplanation(explanation)}`;
}

/** The pod called `NAMESPACE/NAME`, or `NAME` in `default`. Throws a PodwireError with code `DNS_EXPLAIN`. */
export function findPod(pods: readonly Pod[], reference: string): Pod {
  const [first = '', second] = reference.split('/');
  const [namespace, name] = second === undefined ? ['default', first] : [first, second];
  const pod = pods.find(
    ({ metadata }) => metadata.name === name && namespaceOf(metadata) === namespace,
  );
  if (pod !== undefined) return pod;
  const known = pods.map(({ metadata }) => `${namespaceOf(metadata)}/${metadata.name}`);
  const others = known.length === 0 ? 'there are none' : `there is ${known.toSorted().join(', ')}`;
  throw new PodwireError('DNS_EXPLAIN', `no pod ${namespace}/${name}; ${others}`);
}

function namespaceOf({ namespace = 'default' }: { readonly namespace?: string }): string {
  return namespace;
}

function resolvConfOf(pod: Pod, surroundings: ExplainSurroundings): ResolvConf {
  const { clusterDns, clusterDomain, host } = surroundings;
  const namespace = namespaceOf(pod.metadata);
  return podResolvConf({ pod: { namespace, spec: pod.spec }, clusterDns, clusterDomain, host })
    .conf;
}

function describeAsker({ metadata, spec }: Pod, address: string, conf: ResolvConf): string {
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  const searches =
    conf.searches.length === 0 ? 'no search list' : `search ${conf.searches.join(' ')}`;
  const options = conf.options.join(' ');
  return `Pod ${namespaceOf(metadata)}/${metadata.name} (${address}), dnsPolicy ${policy}: nameserver ${conf.nameservers.join(' ')}; ${searches}; ${options}`;
}

import type { PodSpec } from '../../api/types/core.ts';

/** A resolver configuration (resolv.conf(5)). */
export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  /** `ndots:5`, `edns0` */
  readonly options: readonly string[];
}

/** What a kubelet tells of a pod's DNS settings: an event of type Warning. */
export interface ResolvConfEvent {
  readonly reason: 'DNSConfigForming' | 'MissingClusterDNS';
  readonly message: string;
}

export interface ResolvConfInput {
  readonly pod: {
    readonly namespace: string;
    readonly spec: Pick<PodSpec, 'dnsPolicy' | 'dnsConfig' | 'hostNetwork'>;
  };
  /** kubelet --cluster-dns. */
  readonly clusterDns: readonly string[];
  /** kubelet --cluster-domain; empty: no cluster search path. */
  readonly clusterDomain: string;
  /** What kubelet --resolv-conf holds; absent: the flag is empty. */
  readonly host?: ResolvConf;
}

/** glibc's limit, and Kubernetes's. */
const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
/** Search domains with the spaces between them. */
const MAX_SEARCH_CHARACTERS = 2048;
const MAX_DOMAIN_CHARACTERS = 253;
const CLUSTER_OPTIONS: readonly string[] = ['ndots:5'];

/** A pod's resolv.conf by its dnsPolicy (kubelet pkg/kubelet/network/dns). */
export function podResolvConf(input: ResolvConfInput): {
  readonly conf: ResolvConf;
  readonly events: readonly ResolvConfEvent[];
} {
  const events: ResolvConfEvent[] = [];
  const base = baseFor(input, events);
  const merged = withDnsConfig(base, input.pod.spec.dnsConfig);
  return { conf: withinLimits(merged, events), events };
}

/** The file's text, in the order container runtimes write it. */
export function formatResolvConf({ nameservers, searches, options }: ResolvConf): string {
  return [
    ...(searches.length > 0 ? [`search ${searches.join(' ')}`] : []),
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

/** Reads a host's file: the last search and options lines win, trailing dots go. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) nameservers.push(values[0]);
    if (keyword === 'options') options = values;
    // A lone dot is the root, and stays.
    if (keyword === 'search')
      searches = values.map((domain) => (domain === '.' ? domain : domain.replace(/\.$/, '')));
  }
  return { nameservers, searches, options };
}

function baseFor(input: ResolvConfInput, events: ResolvConfEvent[]): ResolvConf {
  const { pod, clusterDns } = input;
  const { dnsPolicy = 'ClusterFirst', hostNetwork = false } = pod.spec;
  if (dnsPolicy === 'None') return { nameservers: [], searches: [], options: [] };
  const wantsCluster =
    dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork);
  if (!wantsCluster) return hostConf(input);
  if (clusterDns.length === 0) {
    events.push({
      reason: 'MissingClusterDNS',
      message: `the kubelet has no cluster DNS address and cannot make a pod with policy "${dnsPolicy}"; falling back to "Default"`,
    });
    return hostConf(input);
  }
  return {
    nameservers: clusterDns,
    searches: unique([...clusterSearches(input), ...(input.host?.searches ?? [])]),
    options: CLUSTER_OPTIONS,
  };
}

function clusterSearches({ pod, clusterDomain }: ResolvConfInput): string[] {
  if (clusterDomain === '') return [];
  return [`${pod.namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
}

/** Without a host file there must still be one, or resolvers would make up their own. */
function hostConf({ host }: ResolvConfInput): ResolvConf {
  return host ?? { nameservers: ['127.0.0.1'], searches: ['.'], options: [] };
}

function withDnsConfig(base: ResolvConf, config: PodSpec['dnsConfig']): ResolvConf {
  if (config === undefined) return base;
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? option, option]));
  for (const { name = '', value } of config.options ?? [])
    if (name !== '')
      options.set(name, value === undefined || value === '' ? name : `${name}:${value}`);
  return {
    nameservers: unique([...base.nameservers, ...(config.nameservers ?? [])]),
    searches: unique([...base.searches, ...(config.searches ?? [])]),
    options: [...options.values()],
  };
}

function withinLimits(conf: ResolvConf, events: ResolvConfEvent[]): ResolvConf {
  const nameservers = conf.nameservers.slice(0, MAX_NAMESERVERS);
  if (nameservers.length < conf.nameservers.length)
    events.push({
      reason: 'DNSConfigForming',
      message: `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${nameservers.join(' ')}`,
    });
  const searches = fittingSearches(conf.searches);
  if (searches.length < conf.searches.length)
    events.push({
      reason: 'DNSConfigForming',
      message: `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
    });
  return { ...conf, nameservers, searches };
}

function fittingSearches(searches: readonly string[]): string[] {
  const fitting: string[] = [];
  let characters = 0;
  for (const domain of searches) {
    if (domain.length > MAX_DOMAIN_CHARACTERS) continue;
    const next = characters + domain.length + (fitting.length === 0 ? 0 : 1);
    if (fitting.length === MAX_SEARCHES || next > MAX_SEARCH_CHARACTERS) break;
    fitting.push(domain);
    characters = next;
  }
  return fitting;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

import type { Pod } from '../api/types/core.ts';
import type { Clock } from '../base/clock.ts';
import { PodwireError } from '../base/errors.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import { ADDRESS_TYPES, explainName, type Explanation } from '../dns/explain/explain.ts';
import { formatExplanation } from '../dns/explain/format-explanation.ts';
import { Kube2sky } from '../dns/kube2sky/kube2sky.ts';
import type { Kube2skyLayout } from '../dns/kube2sky/skydns-entries.ts';
import { typeCode } from '../dns/message/codes.ts';
import { podResolvConf, type ResolvConf } from '../dns/resolv-conf/resolv-conf.ts';
import { DnsServer } from '../dns/server/dns-server.ts';
import { MemoryDnsSource } from '../dns/source/memory-source.ts';
import { readManifest, type ManifestProblem } from '../dns/source/read-manifests.ts';
import { machineCorefileHost } from './corefile-host.ts';
import { connectEtcdStore } from './etcd-store.ts';

export interface StandaloneDnsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly corefile: { readonly file: string; readonly text: string };
  /** The Corefile as it is now, for `reload`. */
  readonly readCorefile?: () => Promise<string>;
  readonly manifests: readonly { readonly path: string; readonly text: string }[];
  readonly listen: readonly [ListenAddress, ...ListenAddress[]];
  readonly clusterDomain: string;
  /** Write the manifests' Services into this etcd too. */
  readonly kube2sky?: { readonly endpoint: string; readonly layout: Kube2skyLayout };
  readonly onProblem: (problem: ManifestProblem) => void;
  readonly onFatal?: (error: Error) => void;
}

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** A DNS server for manifests, without a cluster. Owns the server and, if asked for, kube2sky. */
export class StandaloneDns implements Resource {
  readonly #options: StandaloneDnsOptions;
  readonly #source: MemoryDnsSource;
  readonly #server: DnsServer;
  readonly #lifetime: Lifetime;

  private constructor(
    options: StandaloneDnsOptions,
    source: MemoryDnsSource,
    server: DnsServer,
    lifetime: Lifetime,
  ) {
    this.#options = options;
    this.#source = source;
    this.#server = server;
    this.#lifetime = lifetime;
  }

  /** Rejects with `COREFILE_INVALID` or `DNS_BIND`. */
  static async start(options: StandaloneDnsOptions): Promise<StandaloneDns> {
    const { clock, random, log, environment, corefile, readCorefile, listen, onFatal } = options;
    const source = new MemoryDnsSource();
    for (const { path, text } of options.manifests)
      for (const problem of readManifest(source, text, path)) options.onProblem(problem);
    const lifetime = new Lifetime('standalone DNS');
    try {
      const server = lifetime.own(
        await DnsServer.start({
          clock,
          random,
          log,
          metrics: createMetrics(),
          source,
          connectEtcd: (address) => connectEtcdStore(address, clock),
          localAddresses: listen.map(({ address }) => address),
          corefile,
          corefileHost: machineCorefileHost(environment),
          listen,
          ...(readCorefile === undefined ? {} : { readCorefile }),
          ...(onFatal === undefined ? {} : { onFatal }),
        }),
      );
      if (options.kube2sky !== undefined) lifetime.own(startKube2sky(options, source));
      return new StandaloneDns(options, source, server, lifetime);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  get addresses(): readonly ListenAddress[] {
    return this.#server.addresses;
  }

  /** Puts another Corefile in force; rejects, and keeps the old one, when it is no good. */
  apply(corefile: string): Promise<void> {
    return this.#server.apply(corefile);
  }

  /**
   * Walks a name as a resolver would and tells how each answer came about. `from` is a pod of the
   * manifests, `NAMESPACE/NAME` or a name in `default`; without it the name is asked as it is. Throws a
   * PodwireError with code `DNS_EXPLAIN` for a pod or type that does not exist.
   */
  async explain(question: {
    readonly name: string;
    readonly type?: string;
    readonly from?: string;
  }): Promise<string> {
    return formatExplanation(await this.#explain(question));
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  #explain({
    name,
    type,
    from,
  }: {
    name: string;
    type?: string;
    from?: string;
  }): Promise<Explanation> {
    const code = type === undefined ? undefined : typeCode(type);
    if (type !== undefined && code === undefined)
      throw new PodwireError('DNS_EXPLAIN', `'${type}' is not a record type such as A or SRV`);
    const pod = from === undefined ? undefined : this.#podOf(from);
    const address = pod?.status?.podIP ?? '127.0.0.1';
    return explainName({
      name,
      types: code === undefined ? ADDRESS_TYPES : [code],
      resolvConf: pod === undefined ? AS_GIVEN : this.#resolvConfOf(pod),
      peer: {
        address,
        port: 0,
        family: address.includes(':') ? 'IPv6' : 'IPv4',
        protocol: 'udp',
      },
      ask: (message, peer) => this.#server.trace(message, peer),
    });
  }

  #podOf(reference: string): Pod {
    const [first = '', second] = reference.split('/');
    const [namespace, name] = second === undefined ? ['default', first] : [first, second];
    const pods = this.#source.list('pods');
    const pod = pods.find(
      ({ metadata }) => metadata.name === name && (metadata.namespace ?? 'default') === namespace,
    );
    if (pod !== undefined) return pod;
    const known = pods.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(', ');
    throw new PodwireError(
      'DNS_EXPLAIN',
      `no pod ${namespace}/${name} in the manifests; there ${known === '' ? 'are none' : `is ${known}`}`,
    );
  }

  #resolvConfOf(pod: Pod): ResolvConf {
    const namespace = pod.metadata.namespace ?? 'default';
    return podResolvConf({
      pod: { namespace, spec: pod.spec },
      clusterDns: this.#server.addresses.map(({ address }) => address),
      clusterDomain: this.#options.clusterDomain,
      host: { nameservers: [], searches: [], options: [] },
    }).conf;
  }
}

const AS_GIVEN: ResolvConf = { nameservers: [], searches: [], options: ['ndots:0'] };

function startKube2sky(options: StandaloneDnsOptions, source: MemoryDnsSource): Kube2sky {
  const { clock, log, clusterDomain, kube2sky } = options;
  const { endpoint = '', layout = 'flat' } = kube2sky ?? {};
  const store = connectEtcdStore({ endpoints: [endpoint] }, clock);
  return new Kube2sky({ source, store, clock, log, layout, domain: clusterDomain });
}

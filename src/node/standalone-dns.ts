import type { Clock } from '../base/clock.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import { parseFaults } from '../dns/faults/fault-text.ts';
import { Kube2sky } from '../dns/kube2sky/kube2sky.ts';
import type { Kube2skyLayout } from '../dns/kube2sky/skydns-entries.ts';
import { DnsServer } from '../dns/server/dns-server.ts';
import { MemoryDnsSource } from '../dns/source/memory-source.ts';
import { readManifest, type ManifestProblem } from '../dns/source/read-manifests.ts';
import { machineCorefileHost } from './corefile-host.ts';
import type { connectEtcdStore } from './etcd-store.ts';
import { type DnsQuestion, explainDns } from './explain-dns.ts';
import { podOf } from './pod-of.ts';

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
    // Here, not above: other commands need not wait until etcd's client is loaded.
    const etcd = await import('./etcd-store.ts');
    const lifetime = new Lifetime('standalone DNS');
    try {
      const server = lifetime.own(
        await DnsServer.start({
          clock,
          random,
          log,
          metrics: createMetrics(),
          source,
          connectEtcd: (address) => etcd.connectEtcdStore(address, clock),
          localAddresses: listen.map(({ address }) => address),
          corefile,
          corefileHost: machineCorefileHost(environment),
          listen,
          podOf: podOf({ list: () => source.list('pods') }),
          ...(readCorefile === undefined ? {} : { readCorefile }),
          ...(onFatal === undefined ? {} : { onFatal }),
        }),
      );
      if (options.kube2sky !== undefined)
        lifetime.own(startKube2sky(options, source, etcd.connectEtcdStore));
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

  /** Walks a name as a resolver would, for a pod of the manifests or nobody in particular. Codes as {@link explainDns}. */
  async explain(question: DnsQuestion): Promise<string> {
    return explainDns(this.#server, question, {
      pods: this.#source.list('pods'),
      clusterDns: this.addresses.map(({ address }) => address),
      clusterDomain: this.#options.clusterDomain,
      host: { nameservers: [], searches: [], options: [] },
    });
  }

  /** Puts these faults in the place of those in force. Throws a PodwireError with code `DNS_FAULT`; the old ones stay then. */
  setFaults(text: string): void {
    const faults = parseFaults(text);
    this.#server.faults.clear();
    for (const fault of faults) this.#server.faults.add(fault);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

function startKube2sky(
  options: StandaloneDnsOptions,
  source: MemoryDnsSource,
  connect: typeof connectEtcdStore,
): Kube2sky {
  const { clock, log, clusterDomain, kube2sky } = options;
  const { endpoint = '', layout = 'flat' } = kube2sky ?? {};
  const store = connect({ endpoints: [endpoint] }, clock);
  return new Kube2sky({ source, store, clock, log, layout, domain: clusterDomain });
}

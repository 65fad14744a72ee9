import type { Pod } from '../api/types/core.ts';
import { PodwireError } from '../base/errors.ts';
import type { DnsFault } from '../dns/faults/dns-fault.ts';
import type { DnsServers, RunningDnsServer } from './dns-servers.ts';
import { type DnsQuestion, explainDns, findPod } from './explain-dns.ts';
import type { PodDns } from './kubelet/pod-worker.ts';
import type { ObjectFeed } from './object-feed.ts';

/** The DNS servers of one node, to be looked into and disturbed while they run. */
export class NodeDns {
  readonly #node: string;
  readonly #servers: DnsServers;
  readonly #pods: ObjectFeed<Pod>;
  readonly #settings: PodDns;

  constructor(
    options: PodDns & {
      readonly node: string;
      readonly servers: DnsServers;
      readonly pods: ObjectFeed<Pod>;
    },
  ) {
    this.#node = options.node;
    this.#servers = options.servers;
    this.#pods = options.pods;
    const { clusterDns, clusterDomain, host } = options;
    this.#settings = { clusterDns, clusterDomain, host };
  }

  /** All, or those called `name`. Throws a PodwireError with code `DNS_SERVER` where there is none. */
  servers(name?: string): readonly RunningDnsServer[] {
    const here = this.#servers.on(this.#node);
    const wanted = name === undefined ? here : here.filter((server) => server.name === name);
    if (wanted.length > 0) return wanted;
    const known = here.map((server) => server.name).join(', ');
    throw new PodwireError(
      'DNS_SERVER',
      name === undefined || known === ''
        ? `${this.#node} runs no DNS server; podwire node exec NODE dns-servers tells which does`
        : `${this.#node} runs no DNS server ${name}; there is ${known}`,
    );
  }

  /**
   * Befalls the servers called `name`, else all there are and, unless it is for a number of queries, those that
   * start later. Tells which fault it became where. Throws with code `DNS_SERVER` or `DNS_FAULT`.
   */
  setFault(fault: DnsFault, name?: string): { readonly server: string; readonly id: number }[] {
    const befallen = name === undefined ? this.running : this.servers(name);
    if (name === undefined && fault.count === undefined) this.#servers.keepFault(fault);
    return befallen.map((running) => ({
      server: running.name,
      id: running.server.faults.add(fault).id,
    }));
  }

  /** Takes all faults away, of the servers called `name` only or of all, later ones too. Tells how many they had. */
  clearFaults(name?: string): { readonly server: string; readonly count: number }[] {
    const freed = name === undefined ? this.running : this.servers(name);
    if (name === undefined) this.#servers.forgetFaults();
    return freed.map((running) => {
      const count = running.server.faults.list().length;
      running.server.faults.clear();
      return { server: running.name, count };
    });
  }

  /** Those there are, even if none. */
  get running(): readonly RunningDnsServer[] {
    return this.#servers.on(this.#node);
  }

  /** As a pod, or nobody in particular, would ask the server. Codes as {@link explainDns}. */
  explain({ server }: RunningDnsServer, question: DnsQuestion): Promise<string> {
    return explainDns(server, question, { ...this.#settings, pods: this.#pods.list() });
  }

  /** The address of a pod, `NAMESPACE/NAME`. Throws a PodwireError with code `DNS_EXPLAIN`. */
  podAddress(reference: string): string {
    const { status, metadata } = findPod(this.#pods.list(), reference);
    if (status?.podIP !== undefined) return status.podIP;
    throw new PodwireError(
      'DNS_EXPLAIN',
      `pod ${metadata.namespace}/${metadata.name} has no address yet`,
    );
  }
}

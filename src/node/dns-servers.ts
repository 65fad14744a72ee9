import type { DnsServer } from '../dns/server/dns-server.ts';

/** A DNS server while it runs. */
export interface RunningDnsServer {
  /** The pod's name, or `host` for the one that answers programs outside the cluster. */
  readonly name: string;
  /** The node it runs on. */
  readonly node: string;
  /** Where clients reach it, `127.244.0.2:53`. */
  readonly address: string;
  readonly server: DnsServer;
}

/** The DNS servers of this process, for those who look into them. Owns none of them. */
export class DnsServers {
  readonly #running = new Set<RunningDnsServer>();

  /** Until the returned function is called. */
  add(running: RunningDnsServer): () => void {
    this.#running.add(running);
    return () => void this.#running.delete(running);
  }

  on(node: string): RunningDnsServer[] {
    return [...this.#running].filter((running) => running.node === node);
  }
}

import { PodwireError } from '../base/errors.ts';
import type { DnsFault } from '../dns/faults/dns-fault.ts';
import { MAX_FAULTS } from '../dns/faults/fault-injector.ts';
import { formatFault } from '../dns/faults/fault-text.ts';
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

/**
 * The DNS servers of this process, for those who look into them, and the faults that befall those that start
 * later. Owns none of the servers.
 */
export class DnsServers {
  readonly #running = new Set<RunningDnsServer>();
  /** By their text: every node is told of a fault, and one is enough. */
  readonly #faults = new Map<string, DnsFault>();

  /** With the faults that are kept, until the returned function is called. */
  add(running: RunningDnsServer): () => void {
    this.#running.add(running);
    for (const fault of this.#faults.values()) running.server.faults.add(fault);
    return () => void this.#running.delete(running);
  }

  /** Servers that start later have it too. Throws a PodwireError with code `DNS_FAULT` at 1,000. */
  keepFault(fault: DnsFault): void {
    if (this.#faults.size >= MAX_FAULTS)
      throw new PodwireError('DNS_FAULT', `there are ${MAX_FAULTS} faults already; clear them`);
    this.#faults.set(formatFault(fault), fault);
  }

  /** Servers that start later have none. */
  forgetFaults(): void {
    this.#faults.clear();
  }

  on(node: string): RunningDnsServer[] {
    return [...this.#running].filter((running) => running.node === node);
  }
}

/** Substitutes lie in 20000..21023: above well-known ports, below node ports and ephemeral ones. */
const SUBSTITUTE_BASE = 20_000;

/**
 * Where pods' ports really are. A port that this process may not bind (below 1024 without privilege) is
 * moved to a substitute; everything of podwire that dials pods asks here first, so Services work either
 * way and only programs that dial the pod's address by themselves meet the difference.
 */
export class PodPorts {
  readonly #firstUnprivilegedPort: number;
  readonly #moved = new Set<string>();

  /** `firstUnprivilegedPort`: net.ipv4.ip_unprivileged_port_start, 0 for root. */
  constructor(firstUnprivilegedPort: number) {
    this.#firstUnprivilegedPort = firstUnprivilegedPort;
  }

  /** Where a server that wants `address:port` binds. */
  bindPort(address: string, port: number): number {
    if (port >= this.#firstUnprivilegedPort) return port;
    this.#moved.add(`${address}:${port}`);
    return SUBSTITUTE_BASE + port;
  }

  /** True: `dialPort` will say the same at any later time. */
  isSettled(address: string, port: number): boolean {
    return port >= this.#firstUnprivilegedPort || this.#moved.has(`${address}:${port}`);
  }

  /** Where to dial `address:port`; addresses that are no pods' are left alone. */
  dialPort(address: string, port: number): number {
    if (port >= this.#firstUnprivilegedPort || !this.#moved.has(`${address}:${port}`)) return port;
    return SUBSTITUTE_BASE + port;
  }
}

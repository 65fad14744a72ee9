/** A local address for an upstream connection to come from. Port 0: the kernel picks. */
export interface LocalSource {
  readonly address: string;
  readonly port: number;
}

/** Above Linux's own range (net.ipv4.ip_local_port_range ends at 60999), so that clients keep theirs. */
const FIRST_PORT = 61_000;
const LAST_PORT = 65_535;
const OWN_PORT_ATTEMPTS = 3;
/** After as many refusals the address is given up. */
export const SOURCE_ATTEMPTS: number = OWN_PORT_ATTEMPTS + 1;

/**
 * Which local port to bind when a connection must come from a given address. A bind to port 0 takes a port
 * that nobody has on that address, so one client address would run dry after some 28,000 connections in
 * a minute (TIME_WAIT holds them); IP_BIND_ADDRESS_NO_PORT, the kernel's cure, is out of reach from Node.
 * Binding a port by name is allowed while only other connections hold it (SO_REUSEADDR), and then the
 * whole four-tuple must be free. So: a few ports of our own in turn, then the kernel's choice.
 */
export class SourcePorts {
  #next = FIRST_PORT;

  /** `attempt` counts from 0. Undefined: no way left to use this address. */
  attempt(address: string, attempt: number): LocalSource | undefined {
    if (attempt < OWN_PORT_ATTEMPTS) return { address, port: this.#take() };
    return attempt === OWN_PORT_ATTEMPTS ? { address, port: 0 } : undefined;
  }

  #take(): number {
    const port = this.#next;
    this.#next = port === LAST_PORT ? FIRST_PORT : port + 1;
    return port;
  }
}

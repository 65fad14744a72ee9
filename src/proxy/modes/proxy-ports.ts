import type { Random } from '../../base/random.ts';

/** net.ipv4.ip_local_port_range: where the kernel takes a port from when a program asks for any. */
const FIRST = 32_768;
const LAST = 60_999;

/**
 * The proxy port of each service port in userspace mode, where portals are redirected to. Numbers for who reads the
 * rules: the portals themselves are the sockets here. When the range is used up, ports are given twice.
 */
export class ProxyPorts {
  readonly #random: Random;
  readonly #byServicePort = new Map<string, number>();
  readonly #taken = new Set<number>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Stays the same until {@link release}. */
  of(servicePortKey: string): number {
    const known = this.#byServicePort.get(servicePortKey);
    if (known !== undefined) return known;
    const port = this.#pick();
    this.#byServicePort.set(servicePortKey, port);
    this.#taken.add(port);
    return port;
  }

  release(servicePortKey: string): void {
    const port = this.#byServicePort.get(servicePortKey);
    if (port === undefined) return;
    this.#byServicePort.delete(servicePortKey);
    this.#taken.delete(port);
  }

  #pick(): number {
    const count = LAST - FIRST + 1;
    let offset = this.#random.below(count);
    for (let tries = 0; tries < count && this.#taken.has(FIRST + offset); tries += 1)
      offset = (offset + 1) % count;
    return FIRST + offset;
  }
}

// RFC 1191.

/** Linux: net.ipv4.route.min_pmtu, mtu_expires. */
const MIN_PATH_MTU = 552;
const EXPIRES_MS = 600_000;
const MAX_ENTRIES = 1024;

/** RFC 1191 §7.1: guesses for routers that do not say the next hop's MTU. */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508] as const;

/** What routers told about paths. At most 1,024 destinations, the oldest makes room; 10 minutes each. */
export class PathMtuCache {
  readonly #entries = new Map<number, { readonly mtuBytes: number; readonly expiresAt: number }>();

  /** Lowers the path's MTU and returns it; undefined when the message brings nothing new. */
  lower(
    now: number,
    destination: number,
    toldBytes: number,
    failedBytes: number,
  ): number | undefined {
    const told = toldBytes > 0 ? toldBytes : plateauBelow(failedBytes);
    const mtuBytes = Math.max(told, MIN_PATH_MTU);
    if (mtuBytes >= this.get(now, destination)) return undefined;
    this.#entries.delete(destination);
    this.#entries.set(destination, { mtuBytes, expiresAt: now + EXPIRES_MS });
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > MAX_ENTRIES && oldest !== undefined) this.#entries.delete(oldest);
    return mtuBytes;
  }

  /** Infinity when nothing is known. */
  get(now: number, destination: number): number {
    if (this.#entries.size === 0) return Number.POSITIVE_INFINITY;
    const entry = this.#entries.get(destination);
    if (entry === undefined) return Number.POSITIVE_INFINITY;
    if (entry.expiresAt > now) return entry.mtuBytes;
    this.#entries.delete(destination);
    return Number.POSITIVE_INFINITY;
  }
}

function plateauBelow(bytes: number): number {
  return PLATEAUS.find((plateau) => plateau < bytes) ?? MIN_PATH_MTU;
}

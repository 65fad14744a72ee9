import { TokenBucket } from './token-bucket.ts';

/** Linux: net.ipv4.icmp_msgs_per_sec, icmp_msgs_burst. */
const TOTAL = { perSecond: 1000, burst: 50 };
/** Linux: net.ipv4.icmp_ratelimit, 1000 ms, and XRLIM_BURST_FACTOR. */
const EACH_HOST = { perSecond: 1, burst: 6 };
const MAX_HOSTS = 4096;

/**
 * How many ICMP errors may be sent: in all, and to each host. Of more than 4,096 hosts the one known longest starts
 * anew.
 */
export class IcmpErrorLimit {
  readonly #total = new TokenBucket(TOTAL);
  readonly #hosts = new Map<number, TokenBucket>();

  /** Whether one may be sent to `host`, which counts it. */
  take(now: number, host: number): boolean {
    return this.#hostBucket(host).take(now) && this.#total.take(now);
  }

  #hostBucket(host: number): TokenBucket {
    const known = this.#hosts.get(host);
    if (known !== undefined) return known;
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size >= MAX_HOSTS && oldest !== undefined) this.#hosts.delete(oldest);
    const bucket = new TokenBucket(EACH_HOST);
    this.#hosts.set(host, bucket);
    return bucket;
  }
}

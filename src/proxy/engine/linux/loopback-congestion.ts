import { readFileSync } from 'node:fs';
import { IPPROTO_TCP, TCP_CONGESTION } from '../../../base/linux/abi.ts';
import type { Linux, Mapping, SystemCalls } from '../../../base/linux/system-calls.ts';

/** Congestion controls that do not pace. `reno` is any process's to choose, others need a sysctl's leave or CAP_NET_ADMIN. */
const UNPACED: readonly string[] = ['cubic', 'reno'];
/** TCP_CA_NAME_MAX. */
const NAME_BYTES = 16;
const DEFAULT_FILE = '/proc/sys/net/ipv4/tcp_congestion_control';

/**
 * Keeps sockets that stay on the loopback device from pacing. Where BBR is the system's default, TCP spreads what it sends by
 * a timer: on loopback that protects nobody, and costs more than the transfer itself (docs/forwarding.md).
 */
export class LoopbackCongestion {
  readonly #calls: SystemCalls;
  readonly #names: Mapping;
  /** Which of {@link UNPACED} to try next; beyond the last: sockets stay as they are. */
  #chosen: number;

  /** `systemDefault`: what new sockets have. */
  constructor(linux: Linux, systemDefault: string = readDefault()) {
    this.#calls = linux.calls;
    this.#names = linux.map(UNPACED.length * NAME_BYTES);
    const bytes = new Uint8Array(this.#names.buffer);
    for (const [index, name] of UNPACED.entries())
      new TextEncoder().encodeInto(name, bytes.subarray(index * NAME_BYTES));
    this.#chosen = UNPACED.includes(systemDefault) ? UNPACED.length : 0;
  }

  /** Before the socket connects or listens; what a listener accepts inherits it. */
  apply(fd: number): void {
    for (; this.#chosen < UNPACED.length; this.#chosen += 1) {
      const name = this.#names.address + this.#chosen * NAME_BYTES;
      const length = UNPACED[this.#chosen]?.length ?? 0;
      if (this.#calls.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, length) === 0) return;
    }
  }
}

/** Empty, so that nothing is known of it, where the file cannot be read. */
function readDefault(): string {
  try {
    return readFileSync(DEFAULT_FILE, 'utf8').trim();
  } catch {
    return '';
  }
}

import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { VXLAN_HEADER_BYTES } from '../wire/vxlan.ts';
import { DelayLine } from './delay-line.ts';
import { FaultyLink, type LinkFaults } from './link-faults.ts';
import type { DropLinked, LinkHook } from './vtep.ts';

export type LinkDirection = 'outbound' | 'inbound';

interface Link {
  readonly faulty: FaultyLink;
  readonly line: DelayLine;
}

/**
 * Makes the links of one VTEP behave as badly as wanted: faults by direction and peer, changeable at any time. Each
 * link has a random stream of its own, so that faults of one do not change the fate of the others' frames.
 */
export class LinkShaper implements LinkHook {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tunnelPort: number;
  readonly #faults = new Map<string, LinkFaults>();
  readonly #links = new Map<string, Link>();

  /** `tunnelPort`: the VTEP's, for faults that block it. */
  constructor(options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly tunnelPort?: number;
  }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#tunnelPort = options.tunnelPort ?? 0;
  }

  /** True while no link has a fault: then the hook may be left out. */
  get isIdle(): boolean {
    return this.#faults.size === 0;
  }

  /**
   * Holds for frames from now on, on the link with `peer` (its address) or, for `*`, on every link without faults of its
   * own; undefined heals it. Throws a RangeError that names the field.
   */
  setFaults(peer: string, direction: LinkDirection, faults: LinkFaults | undefined): void {
    const key = `${direction} ${peer}`;
    if (faults === undefined) this.#faults.delete(key);
    else {
      // Checks before anything changes.
      this.#faults.set(key, new FaultyLink(this.#random, faults).faults);
    }
    for (const [linkKey, link] of this.#links) link.faulty.faults = this.#faultsOf(linkKey) ?? {};
  }

  outbound(
    peer: string,
    datagram: Uint8Array,
    pass: (datagram: Uint8Array) => void,
    drop: DropLinked,
  ): void {
    this.#send(`outbound ${peer}`, datagram, pass, drop);
  }

  inbound(
    peer: string,
    datagram: Uint8Array,
    pass: (datagram: Uint8Array) => void,
    drop: DropLinked,
  ): void {
    this.#send(`inbound ${peer}`, datagram, pass, drop);
  }

  /** Forgets what is on its way. */
  end(): void {
    for (const { line } of this.#links.values()) line.end();
  }

  #send(
    key: string,
    datagram: Uint8Array,
    pass: (datagram: Uint8Array) => void,
    drop: DropLinked,
  ): void {
    const now = this.#clock.now();
    const { faulty, line } = this.#linkOf(key);
    const fate = faulty.send(now, datagram, Math.min(VXLAN_HEADER_BYTES, datagram.length));
    if (fate.kind === 'dropped') {
      drop(fate.reason, datagram);
      return;
    }
    for (const { atMs, packet } of fate.arrivals) {
      if (atMs <= now) pass(packet);
      else if (!line.add(atMs, () => pass(packet))) drop('fault-queue-full', datagram);
    }
  }

  #linkOf(key: string): Link {
    const existing = this.#links.get(key);
    if (existing !== undefined) return existing;
    const faults = this.#faultsOf(key) ?? {};
    const faulty = new FaultyLink(this.#random.fork(key), faults, this.#tunnelPort);
    const link = { faulty, line: new DelayLine(this.#clock) };
    this.#links.set(key, link);
    return link;
  }

  #faultsOf(linkKey: string): LinkFaults | undefined {
    const [direction = ''] = linkKey.split(' ');
    return this.#faults.get(linkKey) ?? this.#faults.get(`${direction} *`);
  }
}

import type { Stamps } from './stamps.ts';

/** What each repetition of an answer still has to do, e.g. count. */
export type ReuseEffect = (hit: ReuseHit) => void;

export interface ReuseHit {
  readonly queryBytes: number;
  readonly replyBytes: number;
  readonly durationMs: number;
}

/**
 * Under which conditions a reply may be sent again, byte for byte, to the same query bytes. Every plugin
 * on the way adds its own; one refusal is final. Without {@link allow} nothing is repeated.
 */
export class Reuse {
  readonly dependencies: {
    readonly stamps: Stamps;
    readonly slot: number;
    readonly seen: number;
  }[] = [];
  readonly effects: ReuseEffect[] = [];
  /** Monotonic milliseconds after which the reply is stale. */
  expiresAt: number = Number.POSITIVE_INFINITY;
  /** When TTLs were right, if they count down since. */
  ttlsFrom: number | undefined;
  shuffles = false;
  #state: 'unknown' | 'allowed' | 'refused' = 'unknown';

  get allowed(): boolean {
    return this.#state === 'allowed';
  }

  allow(): void {
    if (this.#state === 'unknown') this.#state = 'allowed';
  }

  refuse(): void {
    this.#state = 'refused';
  }

  /** The reply is good as long as nothing changes under this key. */
  dependsOn(stamps: Stamps, key: string): void {
    const slot = stamps.slotOf(key);
    this.dependencies.push({ stamps, slot, seen: stamps.at(slot) });
  }
}

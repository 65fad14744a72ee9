import type { Clock, Timer } from '../../base/clock.ts';
import type { DatagramChannel } from '../dialer.ts';

/** How long an endpoint may still answer what it was sent before its flow ended: a resolver's first timeout and more. */
const LINGER_MS = 5000;
/** Each takes a descriptor; when there are more, the oldest are closed early. */
const MAX_CHANNELS = 4096;

interface Lingering {
  readonly channel: DatagramChannel;
  readonly closesAt: number;
}

/**
 * Channels of flows that ended because their endpoint is leaving: nothing more is sent on them, but replies under way
 * still reach their clients, as they do through a director, which looks at the destination of what comes in only.
 */
export class LateReplies {
  readonly #clock: Clock;
  readonly #channels: Lingering[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes the channel and closes it in time. */
  await(channel: DatagramChannel): void {
    this.#channels.push({ channel, closesAt: this.#clock.now() + LINGER_MS });
    if (this.#channels.length > MAX_CHANNELS) this.#channels.shift()?.channel.close();
    this.#timer ??= this.#clock.setTimer(LINGER_MS, () => this.#closeDue());
  }

  /** Closes them all now. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { channel } of this.#channels.splice(0)) channel.close();
  }

  #closeDue(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    const due = this.#channels.findIndex(({ closesAt }) => closesAt > now);
    for (const { channel } of this.#channels.splice(0, due === -1 ? Infinity : due))
      channel.close();
    const [next] = this.#channels;
    if (next !== undefined)
      this.#timer = this.#clock.setTimer(next.closesAt - now, () => this.#closeDue());
  }
}

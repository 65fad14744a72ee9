import type { Clock, Timer } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { DropObserver } from '../netstack/drop-log.ts';
import type { NetInterface } from '../netstack/ip/net-interface.ts';
import { Stack } from '../netstack/stack.ts';
import type { TcpConfig } from '../netstack/tcp/tcp-config.ts';

export interface StackDriverOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Takes what the stack sends: the interface's headroom, then the Ethernet header. Must not call the stack. */
  readonly emit: (netInterface: NetInterface, packet: Uint8Array) => void;
  readonly tcp?: Partial<TcpConfig>;
  readonly onDrop?: DropObserver;
}

/**
 * Runs a stack on a clock: one dispatch for all that came in or was asked for in one turn of the event loop, so that
 * acknowledgements coalesce, and one timer for the stack's next deadline.
 */
export class StackDriver {
  readonly stack: Stack;
  readonly #clock: Clock;
  readonly #emit: (netInterface: NetInterface, packet: Uint8Array) => void;
  #soon: Timer | undefined;
  #later: { readonly at: number; readonly timer: Timer } | undefined;
  #isPutOff = false;
  #isEnded = false;

  constructor(options: StackDriverOptions) {
    const { clock, random, emit, tcp, onDrop } = options;
    this.#clock = clock;
    this.#emit = emit;
    this.stack = new Stack({
      random,
      onWake: () => this.wake(),
      ...(tcp === undefined ? {} : { tcp }),
      ...(onDrop === undefined ? {} : { onDrop }),
    });
  }

  /** The stack's time. */
  now(): number {
    return this.#clock.now();
  }

  /** Takes in a frame; what it leads to happens at the end of the turn. */
  process(netInterface: NetInterface, bytes: Uint8Array, from: number, to: number): void {
    if (this.#isEnded) return;
    this.stack.process(this.#clock.now(), netInterface, bytes, from, to);
    this.wake();
  }

  /** Dispatches at the end of the turn. */
  wake(): void {
    if (this.#isEnded) return;
    this.#soon ??= this.#clock.defer(this.#dispatch);
  }

  /** Stops at once: connections are forgotten, nothing more is sent. */
  end(): void {
    this.#isEnded = true;
    this.#soon?.cancel();
    this.#later?.timer.cancel();
  }

  readonly #dispatch = (): void => {
    this.#soon = undefined;
    if (this.#isLate()) {
      this.#isPutOff = true;
      this.wake();
      return;
    }
    this.#isPutOff = false;
    this.stack.dispatch(this.#clock.now(), this.#emit);
    this.#arm();
  };

  /**
   * Whether a timer fell due in this very turn, whose I/O has been: the process stood still, and what came meanwhile,
   * acknowledgements perhaps, waits to be read. A timer that calls back is before the I/O of its turn.
   */
  #isLate(): boolean {
    return !this.#isPutOff && this.#later !== undefined && this.#later.at <= this.#clock.now();
  }

  /** A timer that is early does no harm and is cheaper than a new one: it looks again. */
  #arm(): void {
    const at = this.stack.pollAt();
    const now = this.#clock.now();
    if (at <= now) this.wake();
    else if (Number.isFinite(at) && (this.#later === undefined || at < this.#later.at)) {
      this.#later?.timer.cancel();
      this.#later = { at, timer: this.#clock.setTimer(at - now, this.#onTimer) };
    }
  }

  readonly #onTimer = (): void => {
    this.#later = undefined;
    if (this.stack.pollAt() <= this.#clock.now()) this.wake();
    else this.#arm();
  };
}

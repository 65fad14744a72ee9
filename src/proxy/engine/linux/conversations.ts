import type { Conversation } from './conversation.ts';
import type { Way } from './way.ts';

/** The conversations of a backend by slot, and those that wait for another turn. */
export class Conversations<W extends Way> {
  readonly #bySlot = new Map<number, Conversation<W>>();
  #again = new Set<Conversation<W>>();

  /** True: some wait for another turn. */
  get busy(): boolean {
    return this.#again.size > 0;
  }

  /** Stays valid while conversations come and go. */
  all(): Iterator<Conversation<W>> {
    return this.#bySlot.values();
  }

  add(conversation: Conversation<W>): void {
    this.#bySlot.set(conversation.slot, conversation);
  }

  /** Undefined: it was closed earlier in this turn, and its slot perhaps used again. */
  get(slot: number, generation: number): Conversation<W> | undefined {
    const conversation = this.#bySlot.get(slot);
    return conversation?.generation === generation ? conversation : undefined;
  }

  forget(slot: number): void {
    const conversation = this.#bySlot.get(slot);
    if (conversation !== undefined) this.#again.delete(conversation);
    this.#bySlot.delete(slot);
  }

  again(conversation: Conversation<W>): void {
    this.#again.add(conversation);
  }

  /** Those that ask for a turn meanwhile have theirs the next time. */
  takeTurns(moveOn: (conversation: Conversation<W>) => void): void {
    const turn = this.#again;
    this.#again = new Set();
    for (const conversation of turn) moveOn(conversation);
  }
}

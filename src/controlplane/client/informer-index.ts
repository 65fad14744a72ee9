import type { KubeObject } from '../../api/types/meta.ts';
import type { Informer } from './informer.ts';

/** An informer's objects by something else than their name, e.g. pods by node. */
export class InformerIndex<T extends KubeObject> {
  readonly #byKey = new Map<string, Map<string, T>>();
  readonly #keysOf: (object: T) => readonly string[];
  readonly #stop: () => void;

  constructor(informer: Informer<T>, keysOf: (object: T) => readonly string[]) {
    this.#keysOf = keysOf;
    this.#stop = informer.subscribe((current, previous) => {
      if (previous !== undefined) this.#remove(previous);
      if (current !== undefined) this.#add(current);
    });
  }

  get(key: string): readonly T[] {
    return [...(this.#byKey.get(key)?.values() ?? [])];
  }

  close(): void {
    this.#stop();
  }

  #add(object: T): void {
    for (const key of this.#keysOf(object)) {
      let objects = this.#byKey.get(key);
      if (objects === undefined) {
        objects = new Map();
        this.#byKey.set(key, objects);
      }
      objects.set(object.metadata.uid ?? '', object);
    }
  }

  #remove(object: T): void {
    for (const key of this.#keysOf(object)) {
      const objects = this.#byKey.get(key);
      objects?.delete(object.metadata.uid ?? '');
      if (objects?.size === 0) this.#byKey.delete(key);
    }
  }
}

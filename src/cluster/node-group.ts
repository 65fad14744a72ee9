import type { Resource } from '../base/lifetime.ts';

/** Nodes that end together: each may take its time, but none waits for another. */
export class NodeGroup implements Resource {
  readonly #nodes: Resource[] = [];

  own(node: Resource): void {
    this.#nodes.push(node);
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

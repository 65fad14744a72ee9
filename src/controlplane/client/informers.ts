import type { Clock } from '../../base/clock.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import type { Client, ResourceName, ResourceTypes } from '../client/client.ts';
import { Informer } from '../client/informer.ts';

/** One informer a resource, shared by everything in the process that looks at it. Owns them. */
export class Informers implements Resource {
  readonly #lifetime = new Lifetime('informers');
  readonly #open: <K extends ResourceName>(resource: K) => Informer<ResourceTypes[K]>;
  readonly #informers: { [K in ResourceName]?: Informer<ResourceTypes[K]> } = {};

  constructor(client: Client, clock: Clock, logger: Logger) {
    this.#open = (resource) =>
      this.#lifetime.own(
        new Informer(resource, { client: client.resource(resource), clock, logger }),
      );
  }

  of<K extends ResourceName>(resource: K): Informer<ResourceTypes[K]> {
    const informers: { [R in ResourceName]?: unknown } = this.#informers;
    const known = informers[resource] as Informer<ResourceTypes[K]> | undefined;
    if (known !== undefined) return known;
    const opened = this.#open(resource);
    informers[resource] = opened;
    return opened;
  }

  /** Resolves when every informer asked for so far has its first list. */
  async synced(): Promise<void> {
    await Promise.all(Object.values(this.#informers).map((informer) => informer.synced));
  }

  /** Resolves when the resource's informer, if there is one, has seen this version. */
  async caughtUp(resource: ResourceName, resourceVersion: string): Promise<void> {
    await this.#informers[resource]?.caughtUp(resourceVersion);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

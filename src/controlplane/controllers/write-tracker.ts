import type { KubeObject } from '../../api/types/meta.ts';
import type { Client, ResourceClient, ResourceName, ResourceTypes } from '../client/client.ts';

type CatchUp = (resource: ResourceName, resourceVersion: string) => Promise<void>;

/**
 * A client that remembers what was written through it, so that a controller can wait until its informers
 * have seen it. It takes the place of expectations: with it the informers' view is never older than the
 * controller's last write.
 */
export class WriteTracker {
  readonly client: Client;
  readonly #catchUp: CatchUp;
  readonly #written = new Map<ResourceName, string>();

  constructor(client: Client, catchUp: CatchUp) {
    this.#catchUp = catchUp;
    this.client = {
      resource: (resource) => this.#tracked(resource, client.resource(resource)),
      bind: (pod, nodeName) => client.bind(pod, nodeName),
    };
  }

  /** Resolves when the informers have seen everything written so far. */
  async settle(): Promise<void> {
    const written = [...this.#written];
    this.#written.clear();
    await Promise.all(written.map(([resource, version]) => this.#catchUp(resource, version)));
  }

  #tracked<K extends ResourceName>(
    resource: K,
    client: ResourceClient<ResourceTypes[K]>,
  ): ResourceClient<ResourceTypes[K]> {
    const remember = <T extends KubeObject>(object: T): T => {
      const version = object.metadata.resourceVersion ?? '0';
      if (Number(version) > Number(this.#written.get(resource) ?? '0'))
        this.#written.set(resource, version);
      return object;
    };
    return {
      get: (name, namespace) => client.get(name, namespace),
      list: (options) => client.list(options),
      watch: (options) => client.watch(options),
      create: async (object) => remember(await client.create(object)),
      update: async (object) => remember(await client.update(object)),
      updateStatus: async (object) => remember(await client.updateStatus(object)),
      patch: async (name, namespace, patch) => remember(await client.patch(name, namespace, patch)),
      delete: async (name, namespace, options) =>
        remember(await client.delete(name, namespace, options)),
    };
  }
}

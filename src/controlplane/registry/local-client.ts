import { badRequest } from '../../api/status-errors.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type {
  Client,
  ListOptions,
  ResourceClient,
  ResourceName,
  ResourceTypes,
  WatchEvent,
} from '../client/client.ts';
import { applyPatch } from './patch.ts';
import type { ApiRegistry } from './api-registry.ts';
import type { ResourceRegistry } from './resource-registry.ts';

/** The API without HTTP, for what lives in the same process. */
export function localClient(registry: ApiRegistry): Client {
  return {
    resource: <K extends ResourceName>(resource: K) =>
      resourceClient<ResourceTypes[K]>(registry.resource(resource)),
    bind: (pod, nodeName) => registry.bind(pod, nodeName),
  };
}

function resourceClient<T extends KubeObject>(registry: ResourceRegistry): ResourceClient<T> {
  const { kind } = registry;
  const named = (object: T): string => {
    const { name } = object.metadata;
    if (name === undefined || name === '') throw badRequest('metadata.name: Required value');
    return name;
  };
  // The registry erases types: what a kind's registry stores is of the kind's type.
  const typed = (object: KubeObject): T => object as T;
  return {
    get: async (name, namespace) => typed(registry.get(name, namespace)),
    list: async (options: ListOptions = {}) => ({
      items: registry.list(options) as readonly T[],
      resourceVersion: String(registry.revision),
    }),
    create: async (object) => typed(await registry.create(object)),
    update: async (object) =>
      typed(await registry.update(named(object), object.metadata.namespace, () => object)),
    updateStatus: async (object) =>
      typed(
        await registry.update(named(object), object.metadata.namespace, () => object, {
          subresource: 'status',
        }),
      ),
    patch: async (name, namespace, patch) =>
      typed(
        await registry.update(
          name,
          namespace,
          (current) => applyPatch(kind, current, patch.type, patch.body),
          patch.subresource === undefined ? {} : { subresource: patch.subresource },
        ),
      ),
    delete: async (name, namespace, options) =>
      typed((await registry.delete(name, namespace, options)).object),
    watch: (options) =>
      registry.watch(options, Number(options.resourceVersion), options.signal) as AsyncGenerator<
        WatchEvent<T>
      >,
  };
}

import { findKind } from '../../api/kinds.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { KubeObject, OwnerReference } from '../../api/types/meta.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { ResourceName } from '../client/client.ts';
import { startController } from './controller.ts';
import { type ControllerContext, controllerTools } from './controller-context.ts';
import { anyInformer, anyResource, RESOURCES } from './dynamic-client.ts';

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

/** `pods|default|web-1`. */
interface ObjectId {
  readonly resource: ResourceName;
  readonly namespace: string | undefined;
  readonly name: string;
}

/**
 * Deletes objects whose owners are all gone, and carries out foreground and orphan deletion
 * (pkg/controller/garbagecollector). Owners are looked up live before anything is deleted.
 */
export function startGarbageCollector(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'garbage-collector');
  /** By owner uid: the objects that name it. */
  const dependents = new Map<string, Map<string, ObjectId>>();
  const kinds = RESOURCES.filter((resource) => resource !== 'events');

  return startController({
    name: 'garbage-collector',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) =>
      kinds.map((resource) =>
        anyInformer(informers, resource).subscribe((current, previous) => {
          const object = current ?? previous;
          if (object === undefined) return;
          const key = keyOf(idOf(resource, object));
          if (previous !== undefined) forget(key, previous);
          if (current === undefined) {
            for (const id of dependentsOf(object)) queue.add(keyOf(id));
            for (const owner of object.metadata.ownerReferences ?? []) addOwner(owner, object);
            return;
          }
          remember(key, idOf(resource, current), current);
          const marked = current.metadata.deletionTimestamp !== undefined;
          const isOwnerAtWork =
            marked &&
            (current.metadata.finalizers ?? []).some(
              (name) => name === FOREGROUND || name === ORPHAN,
            );
          if ((current.metadata.ownerReferences ?? []).length > 0 || isOwnerAtWork) queue.add(key);

          function addOwner(owner: OwnerReference, of: KubeObject): void {
            const served = findKind(owner.apiVersion, owner.kind);
            if (served !== undefined)
              queue.add(keyOf(ownerId(served.kind.resource as ResourceName, owner, of)));
          }
        }),
      ),
    reconcile: async (key) => {
      await reconcile(parseKey(key));
      return undefined;
    },
  });

  function remember(key: string, id: ObjectId, object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const known = dependents.get(uid) ?? new Map<string, ObjectId>();
      dependents.set(uid, known);
      known.set(key, id);
    }
  }

  function forget(key: string, object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const known = dependents.get(uid);
      known?.delete(key);
      if (known?.size === 0) dependents.delete(uid);
    }
  }

  function dependentsOf(owner: KubeObject): readonly ObjectId[] {
    return [...(dependents.get(owner.metadata.uid ?? '')?.values() ?? [])];
  }

  function find({ resource, namespace, name }: ObjectId): KubeObject | undefined {
    return anyInformer(informers, resource).get(name, namespace);
  }

  async function reconcile(id: ObjectId): Promise<void> {
    const object = find(id);
    if (object === undefined) return;
    const { deletionTimestamp, finalizers = [] } = object.metadata;
    if (deletionTimestamp !== undefined) {
      if (finalizers.includes(ORPHAN)) await orphanDependents(id, object);
      else if (finalizers.includes(FOREGROUND)) await deleteDependents(id, object);
      return;
    }
    await collect(id, object);
  }

  /** Garbage: every owner is gone. Some are gone: their references go. */
  async function collect(id: ObjectId, object: KubeObject): Promise<void> {
    const owners = object.metadata.ownerReferences ?? [];
    if (owners.length === 0) return;
    const missing: OwnerReference[] = [];
    for (const owner of owners) if (!(await exists(owner, object))) missing.push(owner);
    if (missing.length === 0) return;
    const client = anyResource(tools.client, id.resource);
    const { uid = '' } = object.metadata;
    await ignoreGone(
      missing.length === owners.length
        ? client.delete(id.name, id.namespace, {
            preconditions: { uid },
            propagationPolicy: 'Background',
          })
        : client.patch(id.name, id.namespace, { type: 'merge', body: without(object, missing) }),
    );
  }

  async function exists(owner: OwnerReference, of: KubeObject): Promise<boolean> {
    const served = findKind(owner.apiVersion, owner.kind);
    // Kinds that are not served cannot be asked about: their dependents are left alone.
    if (served === undefined) return true;
    const { resource, namespace, name } = ownerId(served.kind.resource as ResourceName, owner, of);
    try {
      const live = await anyResource(tools.client, resource).get(name, namespace);
      return live.metadata.uid === owner.uid;
    } catch (error) {
      if (isApiError(error, 'NotFound')) return false;
      throw error;
    }
  }

  async function orphanDependents(id: ObjectId, owner: KubeObject): Promise<void> {
    for (const dependent of dependentsOf(owner)) {
      const object = find(dependent);
      const references = object?.metadata.ownerReferences ?? [];
      const mine = references.filter(({ uid }) => uid === owner.metadata.uid);
      if (object === undefined || mine.length === 0) continue;
      await ignoreGone(
        anyResource(tools.client, dependent.resource).patch(dependent.name, dependent.namespace, {
          type: 'merge',
          body: without(object, mine),
        }),
      );
    }
    await removeFinalizer(id, owner, ORPHAN);
  }

  /** Dependents first; those that block their owner's deletion must be gone before it goes. */
  async function deleteDependents(id: ObjectId, owner: KubeObject): Promise<void> {
    let blocking = 0;
    for (const dependent of dependentsOf(owner)) {
      const object = find(dependent);
      const reference = object?.metadata.ownerReferences?.find(
        ({ uid }) => uid === owner.metadata.uid,
      );
      if (object === undefined || reference === undefined) continue;
      if (reference.blockOwnerDeletion === true) blocking += 1;
      if (object.metadata.deletionTimestamp !== undefined) continue;
      await ignoreGone(
        anyResource(tools.client, dependent.resource).delete(dependent.name, dependent.namespace, {
          preconditions: { uid: object.metadata.uid ?? '' },
          propagationPolicy: dependentsOf(object).length > 0 ? 'Foreground' : 'Background',
        }),
      );
    }
    if (blocking === 0) await removeFinalizer(id, owner, FOREGROUND);
  }

  async function removeFinalizer(id: ObjectId, owner: KubeObject, name: string): Promise<void> {
    await ignoreGone(
      anyResource(tools.client, id.resource).patch(id.name, id.namespace, {
        type: 'merge',
        body: {
          metadata: {
            uid: owner.metadata.uid,
            resourceVersion: owner.metadata.resourceVersion,
            finalizers: (owner.metadata.finalizers ?? []).filter((other) => other !== name),
          },
        },
      }),
    );
  }
}

function without(object: KubeObject, gone: readonly OwnerReference[]): object {
  return {
    metadata: {
      uid: object.metadata.uid,
      resourceVersion: object.metadata.resourceVersion,
      ownerReferences: (object.metadata.ownerReferences ?? []).filter(
        (owner) => !gone.includes(owner),
      ),
    },
  };
}

async function ignoreGone(done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!isApiError(error, 'NotFound')) throw error;
  }
}

function idOf(resource: ResourceName, object: KubeObject): ObjectId {
  return { resource, namespace: object.metadata.namespace, name: object.metadata.name ?? '' };
}

/** An owner is in its dependent's namespace, or in none. */
function ownerId(resource: ResourceName, owner: OwnerReference, of: KubeObject): ObjectId {
  const namespaced = findKind(owner.apiVersion, owner.kind)?.kind.namespaced === true;
  return {
    resource,
    namespace: namespaced ? of.metadata.namespace : undefined,
    name: owner.name,
  };
}

function keyOf({ resource, namespace, name }: ObjectId): string {
  return `${resource}|${namespace ?? ''}|${name}`;
}

function parseKey(key: string): ObjectId {
  const [resource = '', namespace = '', name = ''] = key.split('|');
  return {
    resource: resource as ResourceName,
    namespace: namespace === '' ? undefined : namespace,
    name,
  };
}

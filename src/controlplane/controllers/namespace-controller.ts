import { equalJson } from '../../api/json.ts';
import type { KindDefinition } from '../../api/kind.ts';
import { kindOfResource } from '../../api/kinds.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { Namespace } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Resource } from '../../base/lifetime.ts';
import { startController } from './controller.ts';
import { type ControllerContext, controllerTools } from './controller-context.ts';
import { anyInformer, anyResource, RESOURCES } from './dynamic-client.ts';
import { deletionConditions, type Remaining } from './namespace-conditions.ts';

/**
 * Empties namespaces that are being deleted, then lets them go; gives living ones their `default` service
 * account (pkg/controller/namespace, pkg/controller/serviceaccount).
 */
export function startNamespaceController(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'namespace-controller');
  const namespaces = informers.of('namespaces');
  const accounts = informers.of('serviceaccounts');
  const contents = RESOURCES.filter((resource) => kindOfResource(resource).namespaced);

  return startController({
    name: 'namespace-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      namespaces.subscribe((current) => {
        if (current !== undefined) queue.add(current.metadata.name ?? '');
      }),
      ...contents.map((resource) =>
        anyInformer(informers, resource).subscribe((current, previous) => {
          const name = (current ?? previous)?.metadata.namespace ?? '';
          const home = namespaces.get(name);
          const leaves = home?.metadata.deletionTimestamp !== undefined;
          if (home !== undefined && (leaves || resource === 'serviceaccounts')) queue.add(name);
        }),
      ),
    ],
    reconcile: async (name) => {
      const namespace = namespaces.get(name);
      if (namespace === undefined) return undefined;
      if (namespace.metadata.deletionTimestamp === undefined) await ensureAccount(name);
      else await empty(name, namespace);
      return undefined;
    },
  });

  async function ensureAccount(namespace: string): Promise<void> {
    if (accounts.get('default', namespace) !== undefined) return;
    try {
      await tools.client.resource('serviceaccounts').create({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default', namespace },
      });
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  }

  async function empty(name: string, namespace: Namespace): Promise<void> {
    const remaining = await deleteContents(name);
    if (remaining.size > 0) await report(namespace, remaining);
    else if ((namespace.spec?.finalizers ?? []).length > 0) await context.finalizeNamespace(name);
  }

  /** What is still there afterwards: on its way, or held by finalizers. */
  async function deleteContents(namespace: string): Promise<Remaining> {
    const remaining = new Map<KindDefinition, KubeObject[]>();
    for (const resource of contents) {
      const client = anyResource(tools.client, resource);
      const left: KubeObject[] = [];
      // Live, not from the informer: nothing may be overlooked.
      for (const object of (await client.list({ namespace })).items)
        try {
          const marked =
            object.metadata.deletionTimestamp === undefined
              ? await client.delete(object.metadata.name ?? '', namespace)
              : object;
          if (marked.metadata.deletionTimestamp !== undefined) left.push(marked);
        } catch (error) {
          if (!isApiError(error, 'NotFound')) throw error;
        }
      if (left.length > 0) remaining.set(kindOfResource(resource), left);
    }
    return remaining;
  }

  async function report(namespace: Namespace, remaining: Remaining): Promise<void> {
    const { conditions: before } = namespace.status ?? {};
    const conditions = deletionConditions(remaining, before, clock.wallNow());
    if (equalJson(conditions, before)) return;
    await tools.client
      .resource('namespaces')
      .updateStatus({ ...namespace, status: { ...namespace.status, conditions } });
  }
}

import { ApiError } from '../../api/api-error.ts';
import { cloneJson } from '../../api/json.ts';
import type { Pod, PodTemplateSpec } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import { controllerReference } from './pod-facts.ts';

/** A pod of `owner` from its template, named by the API server unless `name` is given. */
export function podFromTemplate(owner: KubeObject, template: PodTemplateSpec, name?: string): Pod {
  const { labels, annotations, finalizers } = cloneJson(template.metadata ?? {});
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(name === undefined ? { generateName: `${owner.metadata.name}-` } : { name }),
      namespace: owner.metadata.namespace ?? '',
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerReference(owner)],
    },
    spec: cloneJson(template.spec),
  };
}

/** Creates and deletes a controller's pods and says so in Events on the owner. */
export class PodFactory {
  readonly #client: Client;
  readonly #events: EventRecorder;

  constructor(client: Client, events: EventRecorder) {
    this.#client = client;
    this.#events = events;
  }

  async create(owner: KubeObject, pod: Pod): Promise<Pod> {
    try {
      const created = await this.#client.resource('pods').create(pod);
      const done = eventText(owner, 'create', created.metadata.name ?? '');
      this.#events.record(owner, 'Normal', 'SuccessfulCreate', done);
      return created;
    } catch (error) {
      const leaving =
        error instanceof ApiError &&
        error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating');
      if (leaving !== true)
        this.#events.record(
          owner,
          'Warning',
          'FailedCreate',
          `Error creating: ${errorMessage(error)}`,
        );
      throw error;
    }
  }

  async delete(owner: KubeObject, pod: Pod): Promise<void> {
    const { name = '', namespace, uid } = pod.metadata;
    try {
      await this.#client
        .resource('pods')
        .delete(name, namespace, { preconditions: uid === undefined ? {} : { uid } });
      this.#events.record(owner, 'Normal', 'SuccessfulDelete', eventText(owner, 'delete', name));
    } catch (error) {
      if (error instanceof ApiError && error.reason === 'NotFound') return;
      this.#events.record(
        owner,
        'Warning',
        'FailedDelete',
        `Error deleting: ${errorMessage(error)}`,
      );
      throw error;
    }
  }
}

/** StatefulSets have words of their own (pkg/controller/statefulset: recordPodEvent). */
function eventText(owner: KubeObject, verb: 'create' | 'delete', pod: string): string {
  if (owner.kind === 'StatefulSet')
    return `${verb} Pod ${pod} in StatefulSet ${owner.metadata.name} successful`;
  return `${verb === 'create' ? 'Created' : 'Deleted'} pod: ${pod}`;
}

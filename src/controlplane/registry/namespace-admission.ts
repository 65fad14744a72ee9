import { groupResource, type KindDefinition } from '../../api/kind.ts';
import { badRequest, forbidden, notFound } from '../../api/status-errors.ts';
import type { Namespace } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Admission } from './admission.ts';

/** Objects live in namespaces that exist and are not going away (plugin/namespace/lifecycle). */
export class NamespaceAdmission implements Admission {
  readonly #kind: KindDefinition;
  readonly #find: (name: string) => KubeObject | undefined;

  constructor(kind: KindDefinition, find: (namespace: string) => KubeObject | undefined) {
    this.#kind = kind;
    this.#find = find;
  }

  create(draft: KubeObject): void {
    const { name = '', namespace = '' } = draft.metadata;
    if (namespace === '') throw badRequest('an empty namespace may not be set during creation');
    const home = this.#find(namespace);
    if (home === undefined) throw notFound({ group: '', resource: 'namespaces' }, namespace);
    if (phaseOf(home) !== 'Terminating') return;
    throw forbidden(
      groupResource(this.#kind),
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
      [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    );
  }
}

function phaseOf(namespace: KubeObject): string | undefined {
  return (namespace as Namespace).status?.phase;
}

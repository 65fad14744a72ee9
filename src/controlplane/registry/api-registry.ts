import type { KindDefinition } from '../../api/kind.ts';
import { KINDS, kindOfResource } from '../../api/kinds.ts';
import type { Pod } from '../../api/types/core.ts';
import { apiError, conflict } from '../../api/status-errors.ts';
import { cloneJson } from '../../api/json.ts';
import type { NodePortAllocator } from '../../ipam/node-ports.ts';
import type { ServiceIpAllocator } from '../../ipam/service-ips.ts';
import type { Admission } from './admission.ts';
import { NamespaceAdmission } from './namespace-admission.ts';
import { type RegistryContext, ResourceRegistry } from './resource-registry.ts';
import { ServiceAdmission } from './service-admission.ts';
import {
  DEFAULT_TOLERATION_SECONDS,
  type DefaultTolerationSeconds,
  TolerationAdmission,
} from './toleration-admission.ts';
import { formatTimestamp } from '../../base/timestamp.ts';

export interface ApiRegistryOptions extends RegistryContext {
  readonly serviceIps: ServiceIpAllocator;
  readonly nodePorts: NodePortAllocator;
  readonly tolerationSeconds?: DefaultTolerationSeconds;
}

/** Every kind's registry over one store, and what spans kinds. */
export class ApiRegistry {
  readonly context: RegistryContext;
  readonly #resources: ReadonlyMap<string, ResourceRegistry>;

  constructor(options: ApiRegistryOptions) {
    this.context = options;
    const services = new ServiceAdmission(options.serviceIps, options.nodePorts);
    const tolerations = new TolerationAdmission(
      options.tolerationSeconds ?? DEFAULT_TOLERATION_SECONDS,
    );
    this.#resources = new Map(
      KINDS.map((kind) => [
        kind.resource,
        new ResourceRegistry(kind, options, this.#admissions(kind, services, tolerations)),
      ]),
    );
    services.restore(this.resource('services').list());
  }

  /** By plural name. */
  resource(resource: string): ResourceRegistry {
    const registry = this.#resources.get(resource);
    if (registry === undefined) throw new Error(`no resource ${resource}`);
    return registry;
  }

  get revision(): number {
    return this.context.store.revision;
  }

  /** pods/binding: gives a pod its node, once. */
  async bind(
    pod: { readonly name: string; readonly namespace: string; readonly uid?: string },
    nodeName: string,
  ): Promise<void> {
    const target = { group: '', resource: 'pods/binding' };
    await this.resource('pods').update(
      pod.name,
      pod.namespace,
      (current) => {
        const draft = cloneJson(current) as Pod;
        if (pod.uid !== undefined && pod.uid !== draft.metadata.uid)
          throw conflict(target, pod.name, 'the UID in the binding is not that of the pod');
        if (draft.metadata.deletionTimestamp !== undefined)
          throw conflict(
            target,
            pod.name,
            `pod ${pod.name} is being deleted, cannot be assigned to a host`,
          );
        if ((draft.spec.nodeName ?? '') !== '')
          throw conflict(
            target,
            pod.name,
            `pod ${pod.name} is already assigned to node "${draft.spec.nodeName}"`,
          );
        if (nodeName === '')
          throw apiError(422, 'Invalid', 'Binding is invalid: target.name: Required value');
        draft.spec.nodeName = nodeName;
        markScheduled(draft, formatTimestamp(this.context.clock.wallNow()));
        return draft;
      },
      { trusted: true },
    );
  }

  /** namespaces/finalize: nothing is left in it, so it may go. */
  async finalizeNamespace(name: string): Promise<void> {
    await this.resource('namespaces').update(
      name,
      undefined,
      (current) => ({ ...current, spec: {} }),
      { trusted: true },
    );
  }

  #admissions(
    kind: KindDefinition,
    services: ServiceAdmission,
    tolerations: TolerationAdmission,
  ): readonly Admission[] {
    const namespaces = new NamespaceAdmission(kind, (name) =>
      this.resource('namespaces').find(name, undefined),
    );
    return [
      ...(kind.namespaced ? [namespaces] : []),
      ...(kind === kindOfResource('services') ? [services] : []),
      ...(kind === kindOfResource('pods') ? [tolerations] : []),
    ];
  }
}

function markScheduled(pod: Pod, now: string): void {
  const status = (pod.status ??= {});
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  status.conditions = [
    ...others,
    { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now },
  ];
}

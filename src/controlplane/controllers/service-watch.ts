import { matchesEquality } from '../../api/label-selector.ts';
import type { Pod, Service } from '../../api/types/core.ts';
import { InformerIndex } from '../client/informer-index.ts';
import type { Informer } from '../client/informer.ts';
import { objectKey } from './controller-context.ts';

/** Calls `enqueue` for every Service whose set of pods a change may touch. Returns how to stop. */
export function watchServicePods(
  services: Informer<Service>,
  pods: Informer<Pod>,
  enqueue: (key: string) => void,
): readonly (() => void)[] {
  const byNamespace = new InformerIndex(services, (service) => [service.metadata.namespace ?? '']);
  const selects = (service: Service, pod: Pod | undefined): boolean =>
    pod !== undefined && matchesEquality(service.spec.selector, pod.metadata.labels);
  return [
    services.subscribe((current, previous) => {
      const object = current ?? previous;
      if (object !== undefined) enqueue(objectKey(object));
    }),
    pods.subscribe((current, previous) => {
      const namespace = (current ?? previous)?.metadata.namespace ?? '';
      for (const service of byNamespace.get(namespace))
        if (selects(service, current) || selects(service, previous)) enqueue(objectKey(service));
    }),
    () => byNamespace.close(),
  ];
}

/** The pods a Service selects; none when it has no selector. */
export function selectedPods(service: Service, pods: readonly Pod[]): Pod[] {
  return pods.filter((pod) => matchesEquality(service.spec.selector, pod.metadata.labels));
}

/** False for Services whose endpoints are written by hand or not at all. */
export function hasManagedEndpoints(service: Service): boolean {
  return (
    service.spec.type !== 'ExternalName' && Object.keys(service.spec.selector ?? {}).length > 0
  );
}

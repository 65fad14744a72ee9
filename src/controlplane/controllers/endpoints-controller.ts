import { equalJson } from '../../api/json.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { Endpoints, Pod, Service } from '../../api/types/core.ts';
import type { Resource } from '../../base/lifetime.ts';
import { InformerIndex } from '../client/informer-index.ts';
import { startController } from './controller.ts';
import {
  type ControllerContext,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';
import { isHeadless } from './endpoint-ports.ts';
import {
  countAddresses,
  endpointSubsets,
  MAX_ADDRESSES,
  truncateSubsets,
} from './endpoints-subsets.ts';
import { TriggerTimes, withTriggerTime } from './trigger-times.ts';
import { hasManagedEndpoints, selectedPods, watchServicePods } from './service-watch.ts';

const HEADLESS_LABEL = 'service.kubernetes.io/headless';
export const ENDPOINTS_MANAGED_BY_LABEL = 'endpoints.kubernetes.io/managed-by';
export const ENDPOINTS_CONTROLLER = 'endpoint-controller';
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

/** Keeps the Endpoints of Services with selectors in step with their pods, for old clients. */
export function startEndpointsController(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'endpoint-controller');
  const services = informers.of('services');
  const pods = informers.of('pods');
  const endpoints = informers.of('endpoints');
  const triggerTimes = new TriggerTimes();
  const podsByNamespace = new InformerIndex(pods, (pod) => [pod.metadata.namespace ?? '']);

  return startController({
    name: 'endpoint-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      ...watchServicePods(services, pods, (key) => queue.add(key)),
      // Somebody else's hand on ours; hand-written ones are looked at when their Service goes only.
      endpoints.subscribe((current, previous) => {
        const object = current ?? previous;
        if (object?.metadata.labels?.[ENDPOINTS_MANAGED_BY_LABEL] === ENDPOINTS_CONTROLLER)
          queue.add(objectKey(object));
      }),
      () => podsByNamespace.close(),
    ],
    reconcile: async (key) => {
      await reconcile(key);
      return undefined;
    },
  });

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = services.get(name, namespace);
    const existing = endpoints.get(name, namespace);
    if (service === undefined) {
      triggerTimes.forget(key);
      if (existing !== undefined) await remove(existing);
      return;
    }
    if (!hasManagedEndpoints(service)) return;
    const selected = selectedPods(service, podsByNamespace.get(namespace));
    const time = triggerTimes.next(key, service, selected);
    const desired = desiredEndpoints(service, selected, existing, time);
    if (existing === undefined) await tools.client.resource('endpoints').create(desired);
    else if (!sameEndpoints(existing, desired))
      await tools.client.resource('endpoints').update(desired);
  }

  /** Endpoints go with their Service, hand-written ones too. */
  async function remove(object: Endpoints): Promise<void> {
    try {
      await tools.client
        .resource('endpoints')
        .delete(object.metadata.name ?? '', object.metadata.namespace);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  function desiredEndpoints(
    service: Service,
    selected: readonly Pod[],
    existing: Endpoints | undefined,
    time: string | undefined,
  ): Endpoints {
    const { namespace = '', name = '' } = service.metadata;
    const all = endpointSubsets(service, selected);
    const truncated = countAddresses(all) > MAX_ADDRESSES;
    const annotations = withTriggerTime(existing?.metadata.annotations, time);
    if (truncated) annotations[OVER_CAPACITY] = 'truncated';
    else delete annotations[OVER_CAPACITY];
    const { annotations: _previous, ...metadata } = existing?.metadata ?? {};
    const subsets = truncated ? truncateSubsets(all) : all;
    return {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        ...metadata,
        name,
        namespace,
        labels: {
          ...service.metadata.labels,
          ...(isHeadless(service) ? { [HEADLESS_LABEL]: '' } : {}),
          [ENDPOINTS_MANAGED_BY_LABEL]: ENDPOINTS_CONTROLLER,
        },
        ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      },
      ...(subsets.length === 0 ? {} : { subsets }),
    };
  }
}

function sameEndpoints(a: Endpoints, b: Endpoints): boolean {
  return (
    equalJson(a.subsets ?? [], b.subsets ?? []) &&
    equalJson(a.metadata.labels, b.metadata.labels) &&
    equalJson(
      withTriggerTime(a.metadata.annotations, undefined),
      withTriggerTime(b.metadata.annotations, undefined),
    )
  );
}

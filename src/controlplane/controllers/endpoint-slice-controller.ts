import { isApiError } from '../../api/status-errors.ts';
import type { Node, Service } from '../../api/types/core.ts';
import {
  type EndpointSlice,
  MANAGED_BY_LABEL,
  SERVICE_NAME_LABEL,
} from '../../api/types/discovery.ts';
import type { Resource } from '../../base/lifetime.ts';
import { InformerIndex } from '../client/informer-index.ts';
import { startController } from './controller.ts';
import {
  type ControllerContext,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';
import { wantsTopologyHints } from './endpoint-hints.ts';
import { reconcileSlices, SLICE_CONTROLLER, type TopologyState } from './endpoint-slices.ts';
import { TriggerTimes } from './trigger-times.ts';
import { ZONE_LABEL } from './topology-hints.ts';
import { hasManagedEndpoints, selectedPods, watchServicePods } from './service-watch.ts';

/** Keeps the EndpointSlices of Services with selectors in step with their pods. */
export function startEndpointSliceController(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'endpoint-slice-controller');
  const services = informers.of('services');
  const pods = informers.of('pods');
  const nodes = informers.of('nodes');
  const slices = informers.of('endpointslices');
  const podsByNamespace = new InformerIndex(pods, (pod) => [pod.metadata.namespace ?? '']);
  const triggerTimes = new TriggerTimes();
  /** Services that have topology-aware hints now. */
  const hinted = new Set<string>();
  const slicesByService = new InformerIndex(slices, sliceServiceKeys(SLICE_CONTROLLER));

  return startController({
    name: 'endpoint-slice-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      ...watchServicePods(services, pods, (key) => queue.add(key)),
      // Somebody else's hand on our slices.
      slices.subscribe((current, previous) => {
        for (const slice of [current, previous])
          for (const key of slice === undefined ? [] : sliceServiceKeys(SLICE_CONTROLLER)(slice))
            queue.add(key);
      }),
      // A node's zone is part of its endpoints, and what it can do of how they are spread.
      nodes.subscribe((current, previous) => {
        const moved = zoneOf(current) !== zoneOf(previous);
        if (!moved && capacityOf(current) === capacityOf(previous)) return;
        for (const service of services.list())
          if (moved || wantsTopologyHints(service)) queue.add(objectKey(service));
      }),
      () => podsByNamespace.close(),
      () => slicesByService.close(),
    ],
    reconcile: async (key) => {
      await reconcile(key);
      return undefined;
    },
  });

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = services.get(name, namespace);
    const existing = slicesByService.get(key);
    if (service === undefined || !hasManagedEndpoints(service)) {
      triggerTimes.forget(key);
      hinted.delete(key);
      for (const slice of existing) await remove(slice);
      return;
    }
    if (service.metadata.deletionTimestamp !== undefined) return;
    const selected = selectedPods(service, podsByNamespace.get(namespace));
    const changes = reconcileSlices({
      service,
      pods: selected,
      node: (nodeName) => nodes.get(nodeName),
      nodes: nodes.list(),
      existing,
      triggerTime: triggerTimes.next(key, service, selected),
    });
    // New endpoints before old ones go: a Service that has endpoints always shows some.
    for (const slice of changes.create) await tools.client.resource('endpointslices').create(slice);
    for (const slice of changes.update) await tools.client.resource('endpointslices').update(slice);
    for (const slice of changes.delete) await remove(slice);
    reportTopology(service, changes.topology);
  }

  function reportTopology(service: Service, topology: TopologyState): void {
    const key = objectKey(service);
    const had = hinted.has(key);
    const report = (type: 'Normal' | 'Warning', what: string, message: string): void =>
      tools.events.record(
        service,
        type,
        `TopologyAwareHints${what}`,
        `${message}, addressType: IPv4`,
      );
    if (topology.kind === 'allocated') hinted.add(key);
    else hinted.delete(key);
    if (topology.kind === 'allocated' && !had)
      report('Normal', 'Enabled', 'Topology Aware Hints has been enabled');
    if (topology.kind === 'refused') report('Warning', 'Disabled', topology.why);
    if (topology.kind === 'off' && had)
      report('Warning', 'Disabled', 'Topology Aware Hints has been disabled');
  }

  async function remove(slice: EndpointSlice): Promise<void> {
    try {
      await tools.client
        .resource('endpointslices')
        .delete(slice.metadata.name ?? '', slice.metadata.namespace);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }
}

function zoneOf(node: Node | undefined): string | undefined {
  return node?.metadata.labels?.[ZONE_LABEL];
}

/** Its CPUs while it is ready. */
function capacityOf(node: Node | undefined): string | undefined {
  const ready = node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
  return ready ? node?.status?.allocatable?.['cpu'] : undefined;
}

/** The Service a slice belongs to, for slices of this manager. */
export function sliceServiceKeys(manager: string): (slice: EndpointSlice) => readonly string[] {
  return (slice) => {
    const { labels = {}, namespace = '' } = slice.metadata;
    const service = labels[SERVICE_NAME_LABEL];
    return service === undefined || labels[MANAGED_BY_LABEL] !== manager
      ? []
      : [`${namespace}/${service}`];
  };
}

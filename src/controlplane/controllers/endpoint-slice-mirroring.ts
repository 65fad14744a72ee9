import { parseIp } from '../../base/ip.ts';
import { equalJson } from '../../api/json.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { EndpointAddress, Endpoints, EndpointSubset, Service } from '../../api/types/core.ts';
import {
  type EndpointSlice,
  MANAGED_BY_LABEL,
  SERVICE_NAME_LABEL,
  type SliceEndpoint,
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
import { sliceServiceKeys } from './endpoint-slice-controller.ts';
import { hasManagedEndpoints } from './service-watch.ts';

const MIRRORING_CONTROLLER = 'endpointslicemirroring-controller.k8s.io';
const SKIP_MIRROR = 'endpointslice.kubernetes.io/skip-mirror';
/** --mirroring-max-endpoints-per-subset. */
const MAX_PER_SUBSET = 1000;

/** Copies hand-written Endpoints of Services without a selector into EndpointSlices. */
export function startEndpointSliceMirroring(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'endpoint-slice-mirroring-controller');
  const services = informers.of('services');
  const endpoints = informers.of('endpoints');
  const slices = informers.of('endpointslices');
  const slicesByService = new InformerIndex(slices, sliceServiceKeys(MIRRORING_CONTROLLER));

  return startController({
    name: 'endpoint-slice-mirroring-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      ...[services, endpoints].map((informer) =>
        informer.subscribe((current: Service | Endpoints | undefined, previous) => {
          const object = current ?? previous;
          if (object !== undefined) queue.add(objectKey(object));
        }),
      ),
      slices.subscribe((current, previous) => {
        for (const slice of [current, previous])
          for (const key of slice === undefined
            ? []
            : sliceServiceKeys(MIRRORING_CONTROLLER)(slice))
            queue.add(key);
      }),
      () => slicesByService.close(),
    ],
    reconcile: async (key) => {
      await reconcile(key);
      return undefined;
    },
  });

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const object = endpoints.get(name, namespace);
    const service = services.get(name, namespace);
    const existing = slicesByService.get(key);
    const wanted =
      object !== undefined && service !== undefined && isMirrored(object, service)
        ? mirrorSlices(object)
        : [];
    const left = [...existing];
    for (const slice of wanted) {
      const index = left.findIndex(
        (other) =>
          other.addressType === slice.addressType &&
          equalJson(other.ports ?? [], slice.ports ?? []),
      );
      const [same] = index === -1 ? [] : left.splice(index, 1);
      if (same === undefined) await tools.client.resource('endpointslices').create(slice);
      else if (!sameContent(same, slice))
        await tools.client.resource('endpointslices').update({
          ...slice,
          metadata: { ...same.metadata, ...slice.metadata, name: same.metadata.name ?? '' },
        });
    }
    for (const slice of left) await remove(slice);
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

function isMirrored(object: Endpoints, service: Service): boolean {
  return (
    !hasManagedEndpoints(service) &&
    service.spec.type !== 'ExternalName' &&
    object.metadata.labels?.[SKIP_MIRROR] !== 'true' &&
    object.metadata.annotations?.['control-plane.alpha.kubernetes.io/leader'] === undefined
  );
}

/** One slice for each subset and address family. */
function mirrorSlices(object: Endpoints): EndpointSlice[] {
  return (object.subsets ?? []).flatMap((subset) =>
    (['IPv4', 'IPv6'] as const).flatMap((family) => {
      const endpoints = subsetEndpoints(subset, family);
      if (endpoints.length === 0) return [];
      return [mirrorSlice(object, subset, family, endpoints)];
    }),
  );
}

function mirrorSlice(
  object: Endpoints,
  subset: EndpointSubset,
  addressType: 'IPv4' | 'IPv6',
  endpoints: SliceEndpoint[],
): EndpointSlice {
  const { name = '', namespace = '' } = object.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: {
        ...object.metadata.labels,
        [SERVICE_NAME_LABEL]: name,
        [MANAGED_BY_LABEL]: MIRRORING_CONTROLLER,
      },
      ownerReferences: [
        {
          apiVersion: 'v1',
          kind: 'Endpoints',
          name,
          uid: object.metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    addressType,
    endpoints,
    ports: (subset.ports ?? []).map((port) => ({
      name: port.name ?? '',
      port: port.port,
      protocol: port.protocol ?? 'TCP',
      ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    })),
  };
}

function subsetEndpoints(subset: EndpointSubset, family: 'IPv4' | 'IPv6'): SliceEndpoint[] {
  const of = (addresses: readonly EndpointAddress[] | undefined, ready: boolean): SliceEndpoint[] =>
    (addresses ?? [])
      .filter(({ ip }) => parseIp(ip)?.family === family)
      .map((address) => mirrorEndpoint(address, ready));
  return [...of(subset.addresses, true), ...of(subset.notReadyAddresses, false)].slice(
    0,
    MAX_PER_SUBSET,
  );
}

function mirrorEndpoint(address: EndpointAddress, ready: boolean): SliceEndpoint {
  return {
    addresses: [address.ip],
    conditions: { ready },
    ...(address.hostname === undefined ? {} : { hostname: address.hostname }),
    ...(address.nodeName === undefined ? {} : { nodeName: address.nodeName }),
    ...(address.targetRef === undefined ? {} : { targetRef: address.targetRef }),
  };
}

function sameContent(a: EndpointSlice, b: EndpointSlice): boolean {
  return (
    equalJson(a.endpoints ?? [], b.endpoints ?? []) &&
    equalJson(a.metadata.labels, b.metadata.labels)
  );
}

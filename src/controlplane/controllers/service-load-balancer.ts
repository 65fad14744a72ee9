import { formatIp, type IpAddress, parseIp } from '../../base/ip.ts';
import { equalJson } from '../../api/json.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { LoadBalancerIngress, Service } from '../../api/types/core.ts';
import type { Resource } from '../../base/lifetime.ts';
import type { LbService } from '../../ipam/lb-pool.ts';
import { describeLbRefusal, LbPoolAllocator } from '../../ipam/lb-pools.ts';
import { startController } from './controller.ts';
import {
  type ControllerContext,
  controllerTools,
  objectKey,
  splitKey,
} from './controller-context.ts';

/** MetalLB's annotations, and podwire's own names for the same. */
const POOL_ANNOTATIONS = ['podwire.io/address-pool', 'metallb.io/address-pool'];
const SHARING_ANNOTATIONS = ['podwire.io/allow-shared-ip', 'metallb.io/allow-shared-ip'];
const REQUEST_ANNOTATIONS = ['podwire.io/load-balancer-ips', 'metallb.io/loadBalancerIPs'];

/** Gives Services of type LoadBalancer their addresses, in place of a cloud. */
export function startServiceLoadBalancer(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'service-controller');
  const services = informers.of('services');
  const pools = new LbPoolAllocator(context.loadBalancerPools);
  let restored = false;
  const waiting = new Set<string>();

  return startController({
    name: 'service-load-balancer',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      services.subscribe((current, previous) => {
        const object = current ?? previous;
        if (object !== undefined) queue.add(objectKey(object));
        // An address may have become free.
        if (
          current === undefined ||
          (previous !== undefined && previous.spec.type !== current.spec.type)
        )
          for (const key of waiting) queue.add(key);
      }),
    ],
    reconcile: async (key) => {
      restore();
      await reconcile(key);
      return undefined;
    },
  });

  /** Services that have addresses keep them, before any new one is given. */
  function restore(): void {
    if (restored) return;
    restored = true;
    for (const service of services.list())
      if (wantsAddress(service) && heldAddresses(service).length > 0)
        pools.assign(lbService(service));
  }

  async function reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = services.get(name, namespace);
    waiting.delete(key);
    if (service === undefined || !wantsAddress(service)) {
      pools.release(key);
      if (service !== undefined && isOurs(service)) await writeIngress(service, []);
      return;
    }
    const outcome = pools.assign(lbService(service));
    if (outcome.kind === 'pending') {
      waiting.add(key);
      const reasons = outcome.refusals.map(describeLbRefusal).join('; ');
      if (heldAddresses(service).length > 0) await writeIngress(service, []);
      tools.events.record(
        service,
        'Warning',
        'AllocationFailed',
        `Failed to allocate an address: ${reasons === '' ? 'no address pool is configured' : reasons}`,
      );
      return;
    }
    await writeIngress(
      service,
      outcome.addresses.map(({ address }) => ({ ip: formatIp(address), ipMode: 'VIP' })),
    );
  }

  async function writeIngress(service: Service, ingress: LoadBalancerIngress[]): Promise<void> {
    if (equalJson(service.status?.loadBalancer?.ingress ?? [], ingress)) return;
    try {
      await tools.client.resource('services').updateStatus({
        ...service,
        status: { ...service.status, loadBalancer: ingress.length === 0 ? {} : { ingress } },
      });
    } catch (error) {
      if (isApiError(error, 'NotFound')) return;
      throw error;
    }
    if (ingress.length > 0)
      for (const [reason, message] of ENSURED)
        tools.events.record(service, 'Normal', reason, message);
  }
}

/** What the service controller tells about a balancer that it has asked for and got. */
const ENSURED = [
  ['EnsuringLoadBalancer', 'Ensuring load balancer'],
  ['EnsuredLoadBalancer', 'Ensured load balancer'],
] as const;

/** A class names another implementation. */
function wantsAddress(service: Service): boolean {
  return (
    service.spec.type === 'LoadBalancer' &&
    service.spec.loadBalancerClass === undefined &&
    service.metadata.deletionTimestamp === undefined
  );
}

/** Its status is ours to clear. */
function isOurs(service: Service): boolean {
  return service.spec.type !== 'LoadBalancer' && heldAddresses(service).length > 0;
}

function heldAddresses(service: Service): IpAddress[] {
  return (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => {
    const address = ip === undefined ? undefined : parseIp(ip);
    return address === undefined ? [] : [address];
  });
}

function lbService(service: Service): LbService {
  const { spec } = service;
  const annotation = (names: readonly string[]): string | undefined =>
    names.map((name) => service.metadata.annotations?.[name]).find((value) => value !== undefined);
  const requested = (annotation(REQUEST_ANNOTATIONS) ?? spec.loadBalancerIP ?? '')
    .split(',')
    .flatMap((text) => {
      const address = parseIp(text.trim());
      return address === undefined ? [] : [address];
    });
  return {
    name: objectKey(service),
    labels: service.metadata.labels ?? {},
    ports: (spec.ports ?? []).map(({ port, protocol = 'TCP' }) => ({ port, protocol })),
    families: spec.ipFamilies ?? ['IPv4'],
    requireAllFamilies: spec.ipFamilyPolicy === 'RequireDualStack',
    ...(requested.length === 0 ? {} : { requested }),
    pool: annotation(POOL_ANNOTATIONS),
    sharingKey: annotation(SHARING_ANNOTATIONS),
    localBackends:
      spec.externalTrafficPolicy === 'Local' ? JSON.stringify(spec.selector ?? {}) : undefined,
    current: heldAddresses(service),
  };
}

import { equalJson } from '../../api/json.ts';
import { isApiError } from '../../api/status-errors.ts';
import type { Service } from '../../api/types/core.ts';
import type { IpAddressObject } from '../../api/types/other.ts';
import type { Resource } from '../../base/lifetime.ts';
import { InformerIndex } from '../client/informer-index.ts';
import { startController } from './controller.ts';
import { type ControllerContext, controllerTools } from './controller-context.ts';

const LABELS = {
  'ipaddress.kubernetes.io/ip-family': 'IPv4',
  'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
} as const;

/**
 * Keeps one IPAddress for every cluster IP of a Service, and none besides
 * (pkg/registry/core/service/ipallocator/controller/repairip.go). They show what is allocated; the allocator
 * itself goes by the Services.
 */
export function startIpAddressController(context: ControllerContext): Resource {
  const { informers, clock, logger } = context;
  const tools = controllerTools(context, 'ipallocator-repair-controller');
  const addresses = informers.of('ipaddresses');
  const services = new InformerIndex(informers.of('services'), clusterIPs);

  return startController({
    name: 'ip-address-controller',
    clock,
    logger,
    writes: tools.writes,
    watch: (queue) => [
      informers.of('services').subscribe((current, previous) => {
        for (const ip of new Set([...clusterIPs(current), ...clusterIPs(previous)])) queue.add(ip);
      }),
      addresses.subscribe((current, previous) => {
        const { name } = (current ?? previous)?.metadata ?? {};
        if (name !== undefined) queue.add(name);
      }),
      () => services.close(),
    ],
    reconcile: async (ip) => {
      await reconcile(ip, services.get(ip)[0]);
      return undefined;
    },
  });

  async function reconcile(ip: string, holder: Service | undefined): Promise<void> {
    const known = addresses.get(ip);
    const wanted = holder === undefined ? undefined : addressOf(ip, holder);
    if (known !== undefined && equalJson(known.spec, wanted?.spec)) return;
    if (known !== undefined) await remove(ip);
    if (wanted !== undefined) await tools.client.resource('ipaddresses').create(wanted);
  }

  async function remove(ip: string): Promise<void> {
    try {
      await tools.client.resource('ipaddresses').delete(ip);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }
}

function clusterIPs(service: Service | undefined): readonly string[] {
  return (service?.spec.clusterIPs ?? []).filter((ip) => ip !== 'None');
}

function addressOf(ip: string, { metadata }: Service): IpAddressObject {
  const { namespace = '', name = '' } = metadata;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { name: ip, labels: { ...LABELS } },
    spec: { parentRef: { group: '', resource: 'services', namespace, name } },
  };
}

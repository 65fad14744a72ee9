import type { Pod, Service, ServicePort } from '../../api/types/core.ts';
import type { SlicePort } from '../../api/types/discovery.ts';

/** The port a pod serves a Service port on; undefined when it has no port of that name (FindPort). */
function targetPort(pod: Pod, port: ServicePort): number | undefined {
  const { targetPort: target = port.port, protocol = 'TCP' } = port;
  if (typeof target === 'number') return target;
  for (const container of [...pod.spec.containers, ...sidecars(pod)])
    for (const candidate of container.ports ?? [])
      if (candidate.name === target && (candidate.protocol ?? 'TCP') === protocol)
        return candidate.containerPort;
  return undefined;
}

function sidecars(pod: Pod): Pod['spec']['containers'] {
  return (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
}

/** The ports of a Service as this pod serves them. */
export function endpointPorts(service: Service, pod: Pod): SlicePort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = targetPort(pod, port);
    if (number === undefined) return [];
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
      },
    ];
  });
}

/** A pod has a name of its own under a headless Service that is its subdomain. */
export function endpointHostname(service: Service, pod: Pod): string | undefined {
  const { hostname = '', subdomain } = pod.spec;
  return hostname !== '' && subdomain === service.metadata.name ? hostname : undefined;
}

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None';
}

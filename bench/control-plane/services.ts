import type { ApiClient } from '../../test/e2e/support/api-client.ts';

export const SERVICES = 1000;
export const ENDPOINTS_EACH = 5;

export const SERVICE_PATH = '/api/v1/namespaces/default/services';
export const SLICE_PATH = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

export function service(name: string, spec: object): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
}

/** A slice written by hand: its Service has no selector. */
export function slice(serviceName: string, addresses: readonly string[], port: number): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${serviceName}-1`,
      labels: { 'kubernetes.io/service-name': serviceName },
    },
    addressType: 'IPv4',
    ports: [{ name: '', port, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

/** The objects of the benchmark: Services and their slices, in the order they are written. */
export function manyServices(): { readonly path: string; readonly object: object }[] {
  return Array.from({ length: SERVICES }, (_, index) => {
    const name = `svc-${index}`;
    const addresses = Array.from(
      { length: ENDPOINTS_EACH },
      (__, endpoint) => `127.77.${index >> 5}.${((index & 31) << 3) + endpoint + 1}`,
    );
    return [
      { path: SERVICE_PATH, object: service(name, { ports: [{ port: 80, targetPort: 8080 }] }) },
      { path: SLICE_PATH, object: slice(name, addresses, 8080) },
    ];
  }).flat();
}

/** Creates them with so many requests under way at once; returns how many a second. */
export async function applyAll(
  api: ApiClient,
  objects: readonly { readonly path: string; readonly object: object }[],
  atOnce: number,
): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let entry = objects[next++]; entry !== undefined; entry = objects[next++])
      await created(api, entry.path, entry.object);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return (objects.length / (performance.now() - startedAt)) * 1000;
}

export async function created(api: ApiClient, path: string, object: object): Promise<void> {
  const { code, body } = await api.ask('POST', path, object);
  if (code !== 201) throw new Error(`POST ${path}: ${code} ${body.message}`);
}

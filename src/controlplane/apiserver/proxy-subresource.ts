import { apiError, notFound } from '../../api/status-errors.ts';
import type { Pod, Service } from '../../api/types/core.ts';
import type { EndpointSlice } from '../../api/types/discovery.ts';
import type { Random } from '../../base/random.ts';
import type { ApiRegistry } from '../registry/api-registry.ts';
import type { ApiRequest, ApiResponse } from './http-messages.ts';
import type { AskNode, ForwardHttp, ProxyRequest, ProxyResponse } from './pod-access.ts';
import type { ResourcePath } from './request-path.ts';

/** Headers that belong to one connection, or to us alone (RFC 9110 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'authorization',
]);

interface ProxyName {
  readonly tls: boolean;
  readonly name: string;
  readonly port: string;
}

/** `…/pods/[https:]NAME[:PORT]/proxy/PATH` and the same of services. */
export async function proxySubresource(
  request: ApiRequest,
  target: ResourcePath,
  registry: ApiRegistry,
  random: Random,
  forward: ForwardHttp | undefined,
): Promise<ApiResponse> {
  if (forward === undefined)
    throw apiError(503, 'ServiceUnavailable', 'this API server cannot reach pods');
  const parsed = parseProxyName(target.name ?? '');
  const address =
    target.resource === 'pods'
      ? podAddress(registry, target.namespace, parsed)
      : serviceAddress(registry, target.namespace, parsed, random);
  return passOn(request, target, (outgoing) => forward({ ...address, tls: parsed.tls }, outgoing));
}

/** `nodes/NAME/proxy/PATH`, which the API server passes on to the kubelet. */
export function nodeProxySubresource(
  request: ApiRequest,
  target: ResourcePath,
  registry: ApiRegistry,
  askNode: AskNode | undefined,
): Promise<ApiResponse> {
  if (askNode === undefined)
    throw apiError(503, 'ServiceUnavailable', 'this API server cannot reach nodes');
  const name = target.name ?? '';
  registry.resource('nodes').get(name, undefined);
  return passOn(request, target, (outgoing) => askNode(name, outgoing));
}

async function passOn(
  request: ApiRequest,
  target: ResourcePath,
  ask: (outgoing: ProxyRequest) => Promise<ProxyResponse>,
): Promise<ApiResponse> {
  const query = request.query.size === 0 ? '' : `?${request.query.toString()}`;
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name)),
  );
  try {
    const response = await ask({
      method: request.method,
      path: `${target.rest === '' ? '/' : target.rest}${query}`,
      headers,
      body: await request.body(),
      signal: request.signal,
    });
    return { kind: 'proxied', ...response, headers: withoutHopByHop(response.headers) };
  } catch (error) {
    throw apiError(
      503,
      'ServiceUnavailable',
      `error trying to reach service: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function withoutHopByHop(
  headers: Readonly<Record<string, string | string[]>>,
): Readonly<Record<string, string | string[]>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}

function parseProxyName(text: string): ProxyName {
  const parts = text.split(':');
  const [first = '', second = '', third = ''] = parts;
  if (parts.length === 3) return { tls: first === 'https', name: second, port: third };
  return { tls: false, name: first, port: second };
}

function podAddress(
  registry: ApiRegistry,
  namespace: string | undefined,
  { name, port }: ProxyName,
): { readonly host: string; readonly port: number } {
  const pod = registry.resource('pods').get(name, namespace) as Pod;
  const host = pod.status?.podIP ?? '';
  const first = pod.spec.containers.flatMap((container) => container.ports ?? [])[0]?.containerPort;
  const number = port === '' ? (first ?? 80) : Number(port);
  if (host === '' || !Number.isInteger(number))
    throw apiError(503, 'ServiceUnavailable', `no address to reach pod "${name}" at`);
  return { host, port: number };
}

function serviceAddress(
  registry: ApiRegistry,
  namespace: string | undefined,
  { name, port }: ProxyName,
  random: Random,
): { readonly host: string; readonly port: number } {
  const service = registry.resource('services').get(name, namespace) as Service;
  const entry =
    port === ''
      ? service.spec.ports?.[0]
      : service.spec.ports?.find((item) => item.name === port || String(item.port) === port);
  if (entry === undefined) throw notFound({ group: '', resource: 'services' }, `${name}:${port}`);
  const slices = registry.resource('endpointslices').list({
    namespace,
    labelSelector: `kubernetes.io/service-name=${name}`,
  }) as readonly EndpointSlice[];
  const candidates = slices.flatMap((slice) => {
    const number = slice.ports?.find((item) => (item.name ?? '') === (entry.name ?? ''))?.port;
    return (slice.endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => addresses.map((host) => ({ host, port: number ?? entry.port })));
  });
  const chosen = candidates[candidates.length === 0 ? 0 : random.below(candidates.length)];
  if (chosen === undefined)
    throw apiError(503, 'ServiceUnavailable', `no endpoints available for service "${name}"`);
  return chosen;
}

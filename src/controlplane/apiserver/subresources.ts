import type { ApiError } from '../../api/api-error.ts';
import { cloneJson, isJsonObject, type JsonObject } from '../../api/json.ts';
import { FieldErrors } from '../../api/field-errors.ts';
import { type Scale, scaleKind } from '../../api/scale.ts';
import { apiError, badRequest, invalid } from '../../api/status-errors.ts';
import type { Namespace } from '../../api/types/core.ts';
import type { KubeObject, Status } from '../../api/types/meta.ts';
import type { ApiRegistry } from '../registry/api-registry.ts';
import { evictPod } from '../registry/eviction.ts';
import { applyPatch } from '../registry/patch.ts';
import { type ApiRequest, type ApiResponse, json } from './http-messages.ts';
import { readPatch } from './patch-verb.ts';
import type { PodAccess, PodLogOptions } from './pod-access.ts';
import { representObject } from './represent.ts';
import { readObject } from './request-body.ts';
import {
  getVerb,
  nameOf,
  patchObjectVerb,
  representOptions,
  updateVerb,
  type VerbContext,
} from './resource-verbs.ts';
import { isDryRun, writeRequest } from './write-request.ts';

/** `…/status`. */
export async function statusSubresource(context: VerbContext): Promise<ApiResponse> {
  switch (context.request.method) {
    case 'GET':
      return getVerb(context);
    case 'PUT':
      return updateVerb(context, 'status');
    case 'PATCH':
      return patchObjectVerb(context, 'status');
    default:
      throw methodNotAllowed();
  }
}

/** `…/scale`, as autoscaling/v1 Scale. */
export async function scaleSubresource(context: VerbContext): Promise<ApiResponse> {
  const { request, registry, target, served, clock } = context;
  const name = nameOf(target);
  const current = registry.get(name, target.namespace);
  if (request.method === 'GET') return scaleAnswer(current, context);
  if (request.method !== 'PUT' && request.method !== 'PATCH') throw methodNotAllowed();
  const put = request.method === 'PUT' ? await readObject(request) : undefined;
  const patch = put === undefined ? await readPatch(request) : undefined;
  const write = writeRequest(request, served, clock);
  const object = await registry.update(
    name,
    target.namespace,
    (live) => {
      const scale = scaleOf(live, context);
      const wanted =
        put ??
        applyPatch(
          served.kind,
          scale,
          patch?.type ?? 'merge',
          patch?.document,
          'autoscaling.v1.Scale',
        );
      return withReplicas(live, wanted, context);
    },
    { ...write.options, version: undefined },
  );
  return scaleAnswer(object, context);
}

function scaleAnswer(object: KubeObject, context: VerbContext): ApiResponse {
  const served = { kind: scaleKind, version: scaleKind.versions[0] };
  return json(200, representObject(scaleOf(object, context), served, representOptions(context)));
}

function withReplicas(live: KubeObject, wanted: unknown, context: VerbContext): KubeObject {
  const draft = cloneJson(live);
  const scale = isJsonObject(wanted) ? wanted : {};
  const spec = isJsonObject(scale['spec']) ? scale['spec'] : {};
  const metadata = isJsonObject(scale['metadata']) ? scale['metadata'] : {};
  const replicas = spec['replicas'] ?? 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas))
    throw badRequest(
      'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32',
    );
  if (replicas < 0) {
    const errors = new FieldErrors();
    errors.invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, nameOf(context.target), errors.list);
  }
  context.served.kind.scale?.setReplicas(draft, replicas);
  const version = metadata['resourceVersion'];
  if (typeof version === 'string' && version !== '') draft.metadata.resourceVersion = version;
  return draft;
}

function scaleOf(object: KubeObject, { served }: VerbContext): Scale & JsonObject {
  const { scale } = served.kind;
  const {
    name = '',
    namespace = '',
    uid = '',
    resourceVersion = '',
    creationTimestamp,
  } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: { replicas: scale?.replicas(object) ?? 0 },
    status: {
      replicas: scale?.statusReplicas(object) ?? 0,
      selector: scale?.selector(object) ?? '',
    },
  };
}

/** `pods/NAME/binding`, and `bindings` with the name in the body. */
export async function bindingSubresource(
  request: ApiRequest,
  registry: ApiRegistry,
  namespace: string,
  name: string | undefined,
): Promise<ApiResponse> {
  if (request.method !== 'POST') throw methodNotAllowed();
  const binding = await readObject(request);
  const metadata = isJsonObject(binding['metadata']) ? binding['metadata'] : {};
  const target = isJsonObject(binding['target']) ? binding['target'] : {};
  const pod = name ?? (typeof metadata['name'] === 'string' ? metadata['name'] : '');
  const uid = typeof metadata['uid'] === 'string' ? { uid: metadata['uid'] } : {};
  if (!isDryRun(request))
    await registry.bind(
      { name: pod, namespace, ...uid },
      typeof target['name'] === 'string' ? target['name'] : '',
    );
  return json(201, success());
}

/** `pods/NAME/eviction`: a deletion that PodDisruptionBudgets may refuse for now (429). */
export async function evictionSubresource(
  request: ApiRequest,
  registry: ApiRegistry,
  namespace: string,
  name: string,
): Promise<ApiResponse> {
  if (request.method !== 'POST') throw methodNotAllowed();
  const eviction = await readObject(request);
  const options = isJsonObject(eviction['deleteOptions']) ? eviction['deleteOptions'] : {};
  const grace = options['gracePeriodSeconds'];
  await evictPod(
    registry,
    { name, namespace },
    {
      gracePeriodSeconds: typeof grace === 'number' ? grace : undefined,
      dryRun: isDryRun(request, options['dryRun']),
    },
  );
  return json(201, success());
}

/** What kubectl calls the subresources that podwire has no streams for, and what to do instead. */
const STREAMS: Readonly<Record<string, string>> = {
  exec: 'kubectl exec; see "podwire node exec --help" for what can be run on a node',
  attach: 'kubectl attach; "kubectl logs -f" follows what a container prints',
  portforward: 'kubectl port-forward; pods and Services can be dialled at their own addresses',
  ephemeralcontainers: 'kubectl debug; containers here are servers without a file system',
};

/** `pods/NAME/exec` and the like; undefined for any other subresource. */
export function streamRefusal(subresource: string): ApiError | undefined {
  const what = STREAMS[subresource];
  return what === undefined
    ? undefined
    : apiError(501, 'NotImplemented', `podwire does not serve ${what}`);
}

/** `namespaces/NAME/finalize`: what is left of spec.finalizers. */
export async function finalizeSubresource(context: VerbContext): Promise<ApiResponse> {
  const { request, registry, target, served } = context;
  if (request.method !== 'PUT') throw methodNotAllowed();
  const input = (await readObject(request)) as JsonObject & Partial<Namespace>;
  const finalizers = input.spec?.finalizers ?? [];
  const object = await registry.update(
    nameOf(target),
    undefined,
    (current) => ({ ...current, spec: { finalizers } }),
    { trusted: true },
  );
  return json(200, representObject(object, served, representOptions(context)));
}

/** `pods/NAME/log`. */
export function logSubresource(context: VerbContext, pods: PodAccess | undefined): ApiResponse {
  const { request, registry, target } = context;
  if (request.method !== 'GET') throw methodNotAllowed();
  const name = nameOf(target);
  registry.get(name, target.namespace);
  if (pods === undefined)
    throw apiError(503, 'ServiceUnavailable', 'no node is attached to this API server');
  const { query } = request;
  const options: PodLogOptions = {
    container: query.get('container') ?? undefined,
    follow: query.get('follow') === 'true',
    previous: query.get('previous') === 'true',
    timestamps: query.get('timestamps') === 'true',
    tailLines: optionalCount(query, 'tailLines'),
    sinceSeconds: optionalCount(query, 'sinceSeconds'),
    limitBytes: optionalCount(query, 'limitBytes'),
  };
  return {
    kind: 'stream',
    code: 200,
    contentType: 'text/plain',
    chunks: pods.logs({ namespace: target.namespace ?? '', name }, options, request.signal),
  };
}

function optionalCount(query: URLSearchParams, option: string): number | undefined {
  const text = query.get(option);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(`${option}: Invalid value: ${JSON.stringify(text)}: must be a number`);
  return Number(text);
}

export function methodNotAllowed(): Error {
  return apiError(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  );
}

function success(): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}

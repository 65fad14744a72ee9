import { ApiError } from '../../api/api-error.ts';
import { findResource, type ServedKind } from '../../api/kinds.ts';
import { apiError, badRequest } from '../../api/status-errors.ts';
import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { Random } from '../../base/random.ts';
import type { ApiRegistry } from '../registry/api-registry.ts';
import { discoveryVersion } from './accept.ts';
import {
  aggregatedDiscovery,
  coreVersions,
  discoveryPaths,
  groupDocument,
  groupList,
  resourceList,
} from './discovery.ts';
import { emptyList } from './empty-lists.ts';
import { healthAnswer, isHealthPath } from './health-answer.ts';
import { type ApiRequest, type ApiResponse, json, withWarning } from './http-messages.ts';
import { ListPages } from './list-pages.ts';
import { openApiDocument } from './openapi-document.ts';
import type { AskNode, ForwardHttp, PodAccess } from './pod-access.ts';
import { nodeProxySubresource, proxySubresource } from './proxy-subresource.ts';
import { parseRequestPath, type ResourcePath } from './request-path.ts';
import {
  createVerb,
  deleteCollectionVerb,
  deleteVerb,
  getVerb,
  listVerb,
  nameOf,
  patchObjectVerb,
  updateVerb,
  type VerbContext,
  watchVerb,
} from './resource-verbs.ts';
import { selfReview } from './self-reviews.ts';
import {
  bindingSubresource,
  evictionSubresource,
  finalizeSubresource,
  logSubresource,
  methodNotAllowed,
  scaleSubresource,
  statusSubresource,
  streamRefusal,
} from './subresources.ts';
import { VERSION } from './version.ts';

export interface ApiHandlerOptions {
  readonly registry: ApiRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** `host:port` that discovery tells clients. */
  readonly address: () => string;
  readonly pods?: PodAccess | undefined;
  readonly forward?: ForwardHttp | undefined;
  readonly askNode?: AskNode | undefined;
}

export type ApiHandler = (request: ApiRequest) => Promise<ApiResponse>;

/** What is there besides the API groups. */
const PLAIN_PATHS = ['/healthz', '/livez', '/metrics', '/openapi/v2', '/readyz', '/version'];

/** kubectl 1.20 cannot parse the `@` of the type it asks for. */
const OPENAPI_V2_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** From requests to answers, without a socket. Never rejects: what goes wrong is a Status. */
export function createApiHandler(options: ApiHandlerOptions): ApiHandler {
  const { registry, clock, random, logger } = options;
  const pages = new ListPages();
  const openApi = openApiDocument(VERSION.gitVersion);

  return async (request) => {
    try {
      return await dispatch(request);
    } catch (error) {
      if (error instanceof ApiError) return json(error.status.code ?? 500, error.status);
      logger.error(
        { method: request.method, path: request.path, error: errorMessage(error), err: error },
        'request failed',
      );
      const internal = apiError(
        500,
        'InternalError',
        `Internal error occurred: ${errorMessage(error)}`,
      );
      return json(500, internal.status);
    }
  };

  async function dispatch(request: ApiRequest): Promise<ApiResponse> {
    const path = parseRequestPath(request.path);
    if (path === undefined) throw badRequest('malformed URL path');
    switch (path.kind) {
      case 'resource':
        return resource(request, path.target);
      case 'discovery':
        return discovery(request, path.prefix, path.parts);
      case 'other':
        return plain(request, path.path);
    }
  }

  async function plain(request: ApiRequest, path: string): Promise<ApiResponse> {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw noSuchPath();
    const wanted = path.replace(/\/+$/, '');
    if (isHealthPath(wanted)) return healthAnswer(wanted, request.query);
    switch (wanted) {
      case '':
        return json(200, { paths: [...discoveryPaths(), ...PLAIN_PATHS].toSorted() });
      case '/version':
        return json(200, VERSION);
      case '/metrics':
        return {
          kind: 'raw',
          code: 200,
          contentType: options.metrics.contentType,
          body: await options.metrics.metrics(),
        };
      case '/openapi/v2':
        return { kind: 'raw', code: 200, contentType: OPENAPI_V2_TYPE, body: openApi };
      default:
        throw noSuchPath();
    }
  }

  function discovery(
    request: ApiRequest,
    prefix: 'api' | 'apis',
    parts: readonly string[],
  ): ApiResponse {
    if (request.method !== 'GET') throw methodNotAllowed();
    if (parts.length === 0) {
      const version = discoveryVersion(request.headers.accept);
      if (version !== undefined)
        return {
          kind: 'json',
          code: 200,
          contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
          body: aggregatedDiscovery(prefix, version),
        };
      return json(200, prefix === 'api' ? coreVersions(options.address()) : groupList());
    }
    const document =
      prefix === 'apis' && parts.length === 1
        ? groupDocument(parts[0] ?? '')
        : resourceList(parts.join('/'));
    if (document === undefined) throw noSuchPath();
    return json(200, document);
  }

  async function resource(request: ApiRequest, target: ResourcePath): Promise<ApiResponse> {
    if (target.apiVersion === 'v1' && target.resource === 'bindings' && target.name === undefined)
      return bindingSubresource(request, registry, target.namespace ?? '', undefined);
    const review = await selfReview(request, target);
    if (review !== undefined) return review;
    const served = findResource(target.apiVersion, target.resource);
    const empty = served === undefined ? emptyList(request.method, target) : undefined;
    if (empty !== undefined) return json(200, empty);
    if (served === undefined || (!served.kind.namespaced && target.namespace !== undefined))
      throw noSuchPath();
    const context: VerbContext = {
      request,
      target,
      served,
      registry: registry.resource(served.kind.resource),
      pages,
      clock,
      random,
    };
    const answer = await answerFor(context);
    const { deprecation } = served.version;
    return deprecation === undefined ? answer : withWarning(answer, deprecation);
  }

  function answerFor(context: VerbContext): Promise<ApiResponse> {
    const { target } = context;
    if (target.subresource !== undefined) return subresource(context, target.subresource);
    return target.name === undefined ? collection(context) : item(context);
  }

  async function collection(context: VerbContext): Promise<ApiResponse> {
    const { request, target, served } = context;
    switch (request.method) {
      case 'GET': {
        const watch = request.query.get('watch');
        return watch === 'true' || watch === '1' ? watchVerb(context) : listVerb(context);
      }
      case 'POST':
        requireNamespace(served, target);
        return createVerb(context);
      case 'DELETE':
        requireNamespace(served, target);
        return deleteCollectionVerb(context);
      default:
        throw methodNotAllowed();
    }
  }

  async function item(context: VerbContext): Promise<ApiResponse> {
    requireNamespace(context.served, context.target);
    switch (context.request.method) {
      case 'GET':
        return getVerb(context);
      case 'PUT':
        return updateVerb(context);
      case 'PATCH':
        return patchObjectVerb(context);
      case 'DELETE':
        return deleteVerb(context);
      default:
        throw methodNotAllowed();
    }
  }

  async function subresource(context: VerbContext, name: string): Promise<ApiResponse> {
    const { request, target, served } = context;
    const { kind } = served;
    requireNamespace(served, target);
    const namespace = target.namespace ?? '';
    switch (`${kind.resource}/${name}`) {
      case 'pods/binding':
        return bindingSubresource(request, registry, namespace, nameOf(target));
      case 'pods/eviction':
        return evictionSubresource(request, registry, namespace, nameOf(target));
      case 'pods/log':
        return logSubresource(context, options.pods);
      case 'pods/proxy':
      case 'services/proxy':
        return proxySubresource(request, target, registry, random, options.forward);
      case 'nodes/proxy':
        return nodeProxySubresource(request, target, registry, options.askNode);
      case 'namespaces/finalize':
        return finalizeSubresource(context);
      default:
        if (name === 'status' && kind.hasStatus) return statusSubresource(context);
        if (name === 'scale' && kind.scale !== undefined) return scaleSubresource(context);
        throw (kind.resource === 'pods' ? streamRefusal(name) : undefined) ?? noSuchPath();
    }
  }
}

/** An object is addressed with its namespace; only lists go across all. */
function requireNamespace({ kind }: ServedKind, target: ResourcePath): void {
  if (kind.namespaced && target.namespace === undefined) throw methodNotAllowed();
}

function noSuchPath(): Error {
  return apiError(404, 'NotFound', 'the server could not find the requested resource', {
    details: {},
  });
}

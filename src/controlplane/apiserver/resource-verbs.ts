import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { formatApiVersion, groupResource } from '../../api/kind.ts';
import type { ServedKind } from '../../api/kinds.ts';
import { apiError, badRequest, expired, isApiError } from '../../api/status-errors.ts';
import type { KubeObject, Status } from '../../api/types/meta.ts';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { ResourceRegistry } from '../registry/resource-registry.ts';
import type { DeleteRequest, Selection } from '../registry/write-options.ts';
import { presentation } from './accept.ts';
import { type ApiRequest, type ApiResponse, json } from './http-messages.ts';
import { checkListOptions, checkWatchOptions } from './list-options.ts';
import type { ListPages } from './list-pages.ts';
import { patchVerb } from './patch-verb.ts';
import {
  type IncludeObject,
  representList,
  representObject,
  type RepresentOptions,
} from './represent.ts';
import { readObject, readOptionalObject } from './request-body.ts';
import type { ResourcePath } from './request-path.ts';
import { watchLines } from './watch-response.ts';
import { isDryRun, writeRequest } from './write-request.ts';

export interface VerbContext {
  readonly request: ApiRequest;
  readonly target: ResourcePath;
  readonly served: ServedKind;
  readonly registry: ResourceRegistry;
  readonly pages: ListPages;
  readonly clock: Clock;
  readonly random: Random;
}

/** --min-request-timeout: watches end between this and twice this, unless they say otherwise. */
const MIN_WATCH_TIMEOUT_MS = 1_800_000;

export function getVerb(context: VerbContext): ApiResponse {
  const { registry, target, served } = context;
  const object = registry.get(nameOf(target), target.namespace);
  return json(200, representObject(object, served, representOptions(context)));
}

export function listVerb(context: VerbContext): ApiResponse {
  const { request, registry, served, pages } = context;
  const { query } = request;
  checkListOptions(query);
  const selection = selectionOf(context);
  checkListVersion(context);
  const limit = count(query.get('limit'), 'limit') ?? 0;
  const token = query.get('continue') ?? '';
  const page =
    token === ''
      ? pages.first(registry.list(selection), registry.revision, limit)
      : pages.next(token, limit);
  const hasSelector =
    (selection.labelSelector ?? '') !== '' || (selection.fieldSelector ?? '') !== '';
  return json(
    200,
    representList(page.objects, served, representOptions(context), {
      resourceVersion: String(page.revision),
      ...(page.continue === undefined ? {} : { continue: page.continue }),
      ...(page.continue === undefined || hasSelector ? {} : { remainingItemCount: page.remaining }),
    }),
  );
}

/** Everything is served from memory, which is never older than what a client may have seen. */
function checkListVersion({ request, registry }: VerbContext): void {
  const wanted = count(request.query.get('resourceVersion'), 'resourceVersion') ?? 0;
  if (wanted > registry.revision)
    throw apiError(
      504,
      'Timeout',
      `Too large resource version: ${wanted}, current: ${registry.revision}`,
      {
        details: {
          retryAfterSeconds: 1,
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        },
      },
    );
  if (request.query.get('resourceVersionMatch') === 'Exact' && wanted < registry.revision)
    throw expired(`The resourceVersion for the provided list is too old.`);
}

export function watchVerb(context: VerbContext): ApiResponse {
  const { request, registry, served, clock, random } = context;
  const { query } = request;
  const options = representOptions(context);
  checkWatchOptions(query);
  const initialEvents = query.get('sendInitialEvents');
  const version = count(query.get('resourceVersion'), 'resourceVersion') ?? 0;
  const seconds = count(query.get('timeoutSeconds'), 'timeoutSeconds') ?? 0;
  const timeoutMs = seconds === 0 ? MIN_WATCH_TIMEOUT_MS * (1 + random.float()) : seconds * 1000;
  const selection = selectionOf(context);
  registry.selector(selection);
  return {
    kind: 'stream',
    code: 200,
    contentType: 'application/json',
    chunks: watchLines({
      served,
      registry,
      selection,
      afterRevision: startOf(version, initialEvents, registry.revision),
      bookmarks: query.get('allowWatchBookmarks') === 'true',
      initialEvents: initialEvents === 'true',
      timeoutMs,
      represent: () => ({ ...options, nowMs: clock.wallNow() }),
      clock,
      signal: request.signal,
    }),
  };
}

/** Without a version a watch begins with the present state, unless that is not wanted. */
function startOf(
  version: number,
  initialEvents: string | null,
  revision: number,
): number | undefined {
  if (version > 0) return version;
  return initialEvents === 'false' ? revision : undefined;
}

export async function createVerb(context: VerbContext): Promise<ApiResponse> {
  const { request, registry, served, clock } = context;
  const write = writeRequest(request, served, clock);
  const input = await readObject(request);
  checkKind(input, served);
  placeInNamespace(input, context);
  const object = await registry.create(input, write.options);
  return json(201, representObject(object, served, representOptions(context)), write.warnings);
}

export async function updateVerb(
  context: VerbContext,
  subresource?: 'status',
): Promise<ApiResponse> {
  const { request, registry, target, served, clock } = context;
  const write = writeRequest(request, served, clock, subresource);
  const input = await readObject(request);
  checkKind(input, served);
  placeInNamespace(input, context);
  const name = nameOf(target);
  const metadata = metadataOf(input);
  metadata['name'] ??= name;
  if (metadata['name'] !== name)
    throw badRequest(
      `the name of the object (${String(metadata['name'])}) does not match the name on the URL (${name})`,
    );
  const object = await registry.update(name, target.namespace, () => input, write.options);
  return json(200, representObject(object, served, representOptions(context)), write.warnings);
}

export async function patchObjectVerb(
  context: VerbContext,
  subresource?: 'status',
): Promise<ApiResponse> {
  const { request, registry, target, served, clock } = context;
  const write = writeRequest(request, served, clock, subresource);
  const { object, created } = await patchVerb(
    request,
    { registry, served, name: nameOf(target), namespace: target.namespace },
    write,
  );
  return json(
    created ? 201 : 200,
    representObject(object, served, representOptions(context)),
    write.warnings,
  );
}

export async function deleteVerb(context: VerbContext): Promise<ApiResponse> {
  const { registry, target, served } = context;
  const options = await deleteRequest(context);
  const { object, gone } = await registry.delete(nameOf(target), target.namespace, options);
  const returnsObject = !gone || served.kind.resource === 'pods';
  return json(
    200,
    returnsObject
      ? representObject(object, served, representOptions(context))
      : deletedStatus(object, served),
  );
}

export async function deleteCollectionVerb(context: VerbContext): Promise<ApiResponse> {
  const { registry, served } = context;
  const options = await deleteRequest(context);
  const objects = registry.list(selectionOf(context));
  for (const { metadata } of objects)
    try {
      await registry.delete(metadata.name ?? '', metadata.namespace, options);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  return json(
    200,
    representList(objects, served, representOptions(context), {
      resourceVersion: String(registry.revision),
    }),
  );
}

async function deleteRequest({ request }: VerbContext): Promise<DeleteRequest> {
  const body = await readOptionalObject(request);
  const { query } = request;
  const grace =
    numberOr(body['gracePeriodSeconds']) ??
    count(query.get('gracePeriodSeconds'), 'gracePeriodSeconds');
  const policy =
    textOr(body['propagationPolicy']) ??
    query.get('propagationPolicy') ??
    (body['orphanDependents'] === true || query.get('orphanDependents') === 'true'
      ? 'Orphan'
      : undefined);
  if (policy !== undefined && !['Background', 'Foreground', 'Orphan'].includes(policy))
    throw invalidOption(
      'propagationPolicy',
      `Unsupported value: "${policy}": supported values: "Background", "Foreground", "Orphan"`,
    );
  if (grace !== undefined && grace < 0)
    throw invalidOption('gracePeriodSeconds', 'must be greater than or equal to 0');
  const preconditions = isJsonObject(body['preconditions']) ? body['preconditions'] : {};
  return {
    gracePeriodSeconds: grace,
    propagationPolicy: policy,
    preconditions: {
      uid: textOr(preconditions['uid']),
      resourceVersion: textOr(preconditions['resourceVersion']),
    },
    dryRun: isDryRun(request, body['dryRun']),
  };
}

function deletedStatus(object: KubeObject, { kind }: ServedKind): Status {
  const { group, resource } = groupResource(kind);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name ?? '',
      ...(group === '' ? {} : { group }),
      kind: resource,
      uid: object.metadata.uid ?? '',
    },
  };
}

export function representOptions({ request, clock }: VerbContext): RepresentOptions {
  return {
    presentation: presentation(request.headers.accept),
    includeObject: includeObject(request.query.get('includeObject')),
    nowMs: clock.wallNow(),
  };
}

function includeObject(text: string | null): IncludeObject {
  switch (text) {
    case null:
    case '':
    case 'Metadata':
      return 'Metadata';
    case 'None':
    case 'Object':
      return text;
    default:
      throw badRequest(`unrecognized includeObject value: "${text}"`);
  }
}

function selectionOf({ request, target }: VerbContext): Selection {
  return {
    namespace: target.namespace,
    labelSelector: request.query.get('labelSelector') ?? '',
    fieldSelector: request.query.get('fieldSelector') ?? '',
  };
}

/** What the body says it is must be what the URL is about; saying nothing is fine. */
function checkKind(input: JsonObject, { kind, version }: ServedKind): void {
  const expected = formatApiVersion(version);
  const apiVersion = input['apiVersion'] ?? expected;
  if (apiVersion !== expected)
    throw badRequest(
      `the API version in the data (${JSON.stringify(apiVersion)}) does not match the expected API version (${expected})`,
    );
  if ((input['kind'] ?? kind.kind) !== kind.kind)
    throw badRequest(
      `the kind in the data (${JSON.stringify(input['kind'])}) does not match the expected kind (${kind.kind})`,
    );
}

/** The URL's namespace counts; an object that names another one is refused. */
function placeInNamespace(input: JsonObject, { target, served }: VerbContext): void {
  const metadata = metadataOf(input);
  if (!served.kind.namespaced) {
    delete metadata['namespace'];
    return;
  }
  const said = metadata['namespace'];
  if (said !== undefined && said !== '' && said !== null && said !== target.namespace)
    throw badRequest(
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  metadata['namespace'] = target.namespace ?? '';
}

function metadataOf(input: JsonObject): JsonObject {
  const { metadata } = input as { metadata?: unknown };
  if (isJsonObject(metadata)) return metadata;
  if (metadata !== undefined && metadata !== null)
    throw badRequest(
      'json: cannot unmarshal metadata into Go struct field ObjectMeta.metadata of type v1.ObjectMeta',
    );
  const created: JsonObject = {};
  input['metadata'] = created;
  return created;
}

export function nameOf(target: ResourcePath): string {
  return target.name ?? '';
}

function count(text: string | null, option: string): number | undefined {
  if (text === null || text === '') return undefined;
  if (!/^\d{1,16}$/.test(text))
    throw invalidOption(
      option,
      `Invalid value: ${JSON.stringify(text)}: must be an unsigned integer`,
    );
  return Number(text);
}

function invalidOption(field: string, message: string): Error {
  return apiError(422, 'Invalid', `${field}: ${message}`, {
    details: { causes: [{ reason: 'FieldValueInvalid', message, field }] },
  });
}

function numberOr(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function textOr(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

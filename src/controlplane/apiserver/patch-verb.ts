import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { formatApiVersion, groupResource } from '../../api/kind.ts';
import { applyConfiguration } from '../../api/managed-fields/managers.ts';
import { messageSchema } from '../../api/schema/schema.ts';
import { apiError, badRequest, isApiError } from '../../api/status-errors.ts';
import type { ServedKind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { PatchType } from '../client/client.ts';
import { applyPatch, unreadableOutcome } from '../registry/patch.ts';
import type { ResourceRegistry } from '../registry/resource-registry.ts';
import type { ApiRequest } from './http-messages.ts';
import { inVersion } from './represent.ts';
import { mediaType, parseJson, parseYamlBody, unsupported } from './request-body.ts';
import type { WriteRequest } from './write-request.ts';

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};
const APPLY = 'application/apply-patch+yaml';

export interface PatchTarget {
  readonly registry: ResourceRegistry;
  readonly served: ServedKind;
  readonly name: string;
  readonly namespace: string | undefined;
}

/** A patch of one of the three kinds, as its type and document. Throws 415 for another type. */
export async function readPatch(
  request: ApiRequest,
): Promise<{ readonly type: PatchType; readonly document: unknown }> {
  const type = PATCH_TYPES[mediaType(request) ?? ''];
  if (type === undefined) throw unsupported([...Object.keys(PATCH_TYPES), APPLY]);
  return { type, document: parseJson(await request.body()) };
}

/** PATCH of an object or its status. The outcome says whether it is new. */
export async function patchVerb(
  request: ApiRequest,
  target: PatchTarget,
  write: WriteRequest,
): Promise<{ readonly object: KubeObject; readonly created: boolean }> {
  if (mediaType(request) === APPLY) return applyVerb(request, target, write);
  const { type, document } = await readPatch(request);
  const { registry, served, name, namespace } = target;
  const message = served.version.message ?? served.kind.message;
  let outcome: unknown;
  const object = await registry.update(
    name,
    namespace,
    (current) => {
      outcome = applyPatch(served.kind, inVersion(current, served), type, document, message);
      return outcome;
    },
    { ...write.options, unreadable: (why) => unreadableOutcome(type, document, outcome, why) },
  );
  return { object, created: false };
}

async function applyVerb(
  request: ApiRequest,
  target: PatchTarget,
  write: WriteRequest,
): Promise<{ readonly object: KubeObject; readonly created: boolean }> {
  if ((request.query.get('fieldManager') ?? '') === '')
    throw apiError(
      422,
      'Invalid',
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      {
        details: {
          causes: [
            {
              reason: 'FieldValueRequired',
              message: 'Required value: is required for apply patch',
              field: 'fieldManager',
            },
          ],
        },
      },
    );
  const configuration = parseYamlBody(await request.body());
  if (!isJsonObject(configuration)) throw badRequest('the configuration must be an object');
  const force = request.query.get('force') === 'true';
  return applyOnto(target, checkedConfiguration(configuration, target), write, force);
}

function checkedConfiguration(configuration: JsonObject, target: PatchTarget): JsonObject {
  const { kind, version } = target.served;
  const apiVersion = formatApiVersion(version);
  if (configuration['kind'] !== kind.kind || configuration['apiVersion'] !== apiVersion)
    throw badRequest(
      `the configuration is a ${String(configuration['kind'])} in version ${String(configuration['apiVersion'])}, the URL is of a ${kind.kind} in version ${apiVersion}`,
    );
  const metadata = isJsonObject(configuration['metadata']) ? configuration['metadata'] : {};
  if (metadata['managedFields'] !== undefined)
    throw badRequest('metadata.managedFields must be nil');
  return {
    ...configuration,
    metadata: {
      ...metadata,
      name: target.name,
      ...(target.namespace === undefined ? {} : { namespace: target.namespace }),
    },
  };
}

async function applyOnto(
  target: PatchTarget,
  configuration: JsonObject,
  write: WriteRequest,
  force: boolean,
): Promise<{ readonly object: KubeObject; readonly created: boolean }> {
  const { registry, served, name, namespace } = target;
  // Unknown fields are reported once, and nothing unknown gets an owner.
  const { beforeStore: _track, ...options } = write.options;
  const decoded = registry.decode(configuration, options) as KubeObject & JsonObject;
  const clean = pruned(decoded, configuration);
  const merge = (live: KubeObject | undefined): JsonObject => {
    const outcome = applyConfiguration(
      messageSchema(served.kind.message),
      live,
      clean,
      write.writer,
      force,
    );
    if (outcome.kind === 'merged')
      return {
        ...outcome.object,
        metadata: { ...asObject(outcome.object['metadata']), managedFields: outcome.entries },
      };
    const { causes } = outcome;
    const target409 = groupResource(served.kind);
    throw apiError(
      409,
      'Conflict',
      `Apply failed with ${causes.length} conflict${causes.length === 1 ? '' : 's'}: ${causes.map((cause) => `${cause.message}: ${cause.field}`).join(', ')}`,
      { details: { name, group: target409.group, kind: target409.resource, causes: [...causes] } },
    );
  };
  const storage = { ...options, version: undefined, fieldValidation: 'Ignore' as const };
  if (registry.find(name, namespace) === undefined && options.subresource === undefined)
    try {
      return { object: await registry.create(merge(undefined), storage), created: true };
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  return { object: await registry.update(name, namespace, merge, storage), created: false };
}

/** The decoded configuration without what decoding added: only what the client said gets an owner. */
function pruned(decoded: JsonObject, said: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const key of Object.keys(decoded)) {
    const value = decoded[key];
    const original = said[key];
    if (original === undefined && isJsonObject(value) && Object.keys(value).length === 0) continue;
    result[key] = prunedValue(value, original);
  }
  return result;
}

function prunedValue(value: unknown, original: unknown): unknown {
  if (isJsonObject(value)) return pruned(value, asObject(original));
  if (Array.isArray(value))
    return value.map((item, index) =>
      prunedValue(item, Array.isArray(original) ? original[index] : undefined),
    );
  return value;
}

function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

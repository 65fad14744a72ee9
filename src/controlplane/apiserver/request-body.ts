import { parse as parseYaml } from 'yaml';
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { findKind } from '../../api/kinds.ts';
import { decodeProtobuf, readEnvelope } from '../../api/schema/protobuf.ts';
import { ProtobufError } from '../../api/schema/protobuf-reader.ts';
import { apiError, badRequest } from '../../api/status-errors.ts';
import { CREATE_ONLY } from './create-only-resources.ts';
import type { ApiRequest } from './http-messages.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const MAX_ALIASES = 100;

/** Messages of bodies that are no kinds of their own. */
const OPTION_MESSAGES: Readonly<Record<string, string>> = {
  DeleteOptions: 'meta.DeleteOptions',
  Eviction: 'policy.v1.Eviction',
  Scale: 'autoscaling.v1.Scale',
  ...Object.fromEntries(CREATE_ONLY.map(({ kind, message }) => [kind, message])),
};

/** Without parameters and in lower case; `undefined` for none, which clients mean as JSON. */
export function mediaType(request: ApiRequest): string | undefined {
  return request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
}

/** The body as an object. Throws 400 for what cannot be read, 415 for a type that is not known. */
export async function readObject(request: ApiRequest): Promise<JsonObject> {
  const body = await request.body();
  switch (mediaType(request)) {
    case undefined:
    case '':
    case 'application/json':
      return asObject(parseJson(body));
    case 'application/yaml':
      return asObject(parseYamlBody(body));
    case PROTOBUF:
      return readProtobuf(body);
    default:
      throw unsupported();
  }
}

/** As {@link readObject}; an empty body is an empty object. */
export async function readOptionalObject(request: ApiRequest): Promise<JsonObject> {
  const body = await request.body();
  return body.length === 0 ? {} : readObject(request);
}

export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw badRequest(
      `couldn't get version/kind; json parse error: ${error instanceof Error ? error.message : 'invalid JSON'}`,
    );
  }
}

export function parseYamlBody(body: Buffer): unknown {
  try {
    return parseYaml(body.toString('utf8'), { maxAliasCount: MAX_ALIASES, merge: true }) as unknown;
  } catch (error) {
    throw badRequest(
      `error decoding YAML: ${error instanceof Error ? error.message : 'invalid YAML'}`,
    );
  }
}

export function unsupported(accepted?: readonly string[]): Error {
  const list = accepted ?? ['application/json', 'application/yaml', PROTOBUF];
  return apiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${list.join(', ')}`,
  );
}

function readProtobuf(body: Buffer): JsonObject {
  try {
    const { apiVersion, kind, raw } = readEnvelope(body);
    const served = findKind(apiVersion, kind);
    const message =
      served === undefined
        ? OPTION_MESSAGES[kind]
        : (served.version.message ?? served.kind.message);
    if (message === undefined)
      throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`);
    return { apiVersion, kind, ...decodeProtobuf(message, raw) };
  } catch (error) {
    if (error instanceof ProtobufError)
      throw badRequest(`the body is not the protobuf it says it is: ${error.message}`);
    throw error;
  }
}

function asObject(value: unknown): JsonObject {
  if (!isJsonObject(value)) throw badRequest('the request body must be an object');
  return value;
}

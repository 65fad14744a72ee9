import { isJsonObject, type JsonObject } from '../../api/json.ts';
import { formatApiVersion, type KindDefinition } from '../../api/kind.ts';
import { decodeObject, DecodeError } from '../../api/schema/decode.ts';
import { messageSchema } from '../../api/schema/schema.ts';
import { badRequest } from '../../api/status-errors.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { WriteOptions } from './write-options.ts';

/** From a client's JSON to a storage-version draft that may be changed freely. */
export function decodeInput(
  definition: KindDefinition,
  input: unknown,
  options: WriteOptions,
): KubeObject {
  const version = options.version ?? definition.versions[0];
  if (!isJsonObject(input)) throw badRequest('the request body must be a JSON object');
  const { kind } = definition;
  const refusal =
    options.unreadable ??
    ((why: string) =>
      badRequest(`${kind} in version "${version.version}" cannot be handled as a ${kind}: ${why}`));
  try {
    const decoded = decodeObject(messageSchema(version.message ?? definition.message), input);
    const unknown = decoded.unknownFields.map((field) => `unknown field "${field}"`);
    if (unknown.length > 0 && options.fieldValidation === 'Strict')
      throw refusal(`strict decoding error: ${unknown.join(', ')}`);
    if (options.fieldValidation === 'Warn') for (const text of unknown) options.onWarning?.(text);
    version.toStorage?.(decoded.object);
    const object = decoded.object as JsonObject & KubeObject;
    object.apiVersion = formatApiVersion(definition.versions[0]);
    object.kind = kind;
    return object;
  } catch (error) {
    throw error instanceof DecodeError ? refusal(error.message) : error;
  }
}

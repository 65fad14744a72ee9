import type { ApiError } from '../../api/api-error.ts';
import { FieldErrors } from '../../api/field-errors.ts';
import { isJsonObject, type JsonObject } from '../../api/json.ts';
import type { KindDefinition } from '../../api/kind.ts';
import { jsonPatch, JsonPatchError } from '../../api/patch/json-patch.ts';
import { mergePatch } from '../../api/patch/merge-patch.ts';
import { strategicMergePatch, StrategicMergeError } from '../../api/patch/strategic-merge-patch.ts';
import { messageSchema } from '../../api/schema/schema.ts';
import { apiError, badRequest, invalid } from '../../api/status-errors.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { PatchType } from '../client/client.ts';

/** The object after the patch, not yet checked. Throws 400 or 422 for a patch that cannot be applied. */
export function applyPatch(
  kind: KindDefinition,
  current: KubeObject,
  type: PatchType,
  body: unknown,
  message: string = kind.message,
): unknown {
  try {
    switch (type) {
      case 'json':
        return jsonPatch(current, body);
      case 'merge':
        return mergePatch(current, objectBody(body, 'error decoding patch: '));
      case 'strategic':
        return strategicMergePatch(
          messageSchema(message),
          current as KubeObject & JsonObject,
          objectBody(body),
        );
    }
  } catch (error) {
    if (error instanceof JsonPatchError || error instanceof StrategicMergeError)
      throw apiError(
        422,
        'Invalid',
        `the server rejected our request due to an error in our request: ${error.message}`,
      );
    throw error;
  }
}

function objectBody(body: unknown, context = ''): JsonObject {
  if (isJsonObject(body)) return body;
  throw badRequest(
    `${context}json: cannot unmarshal ${jsonKind(body)} into Go value of type map[string]interface {}`,
  );
}

/** As encoding/json calls what it met. */
function jsonKind(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/**
 * The refusal of a patch whose outcome is no object of the kind. It names no object, only the patch: a strategic
 * one as Go prints maps, of the others the whole outcome (k8s.io/apiserver, handlers/patch.go).
 */
export function unreadableOutcome(
  type: PatchType,
  body: unknown,
  outcome: unknown,
  why: string,
): ApiError {
  const errors = new FieldErrors();
  errors.invalid('patch', type === 'strategic' ? goText(body) : JSON.stringify(outcome), why);
  return invalid({ group: '', kind: '' }, '', errors.list);
}

/** fmt's `%+v` of decoded JSON: `map[spec:map[replicas:x]]`. */
function goText(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isJsonObject(value)) return typeof value === 'string' ? value : JSON.stringify(value);
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${key}:${goText(value[key])}`);
  return `map[${members.join(' ')}]`;
}

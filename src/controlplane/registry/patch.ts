import { isJsonObject, type JsonObject } from '../../api/json.ts';
import type { KindDefinition } from '../../api/kind.ts';
import { jsonPatch, JsonPatchError } from '../../api/patch/json-patch.ts';
import { mergePatch } from '../../api/patch/merge-patch.ts';
import { strategicMergePatch, StrategicMergeError } from '../../api/patch/strategic-merge-patch.ts';
import { messageSchema } from '../../api/schema/schema.ts';
import { apiError, badRequest } from '../../api/status-errors.ts';
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
        return mergePatch(current, objectBody(body));
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

function objectBody(body: unknown): JsonObject {
  if (!isJsonObject(body)) throw badRequest('the patch must be a JSON object');
  return body;
}

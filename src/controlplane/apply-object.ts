import type { ManifestObject } from '../api/manifest.ts';
import { cloneJson, isJsonObject, type JsonObject } from '../api/json.ts';
import { isApiError } from '../api/status-errors.ts';
import type { KubeObject } from '../api/types/meta.ts';
import type { ApiRegistry } from './registry/api-registry.ts';
import { applyPatch } from './registry/patch.ts';

export interface Applied {
  readonly action: 'created' | 'configured' | 'unchanged';
  readonly object: KubeObject;
  /** Fields the kind does not have, deprecations. */
  readonly warnings: readonly string[];
}

/**
 * Makes the cluster have what a manifest says: creates the object, or merges it into the existing
 * one as `kubectl apply` does, though nothing is removed that an earlier manifest said. Objects without a namespace go to `default`. Refusals are ApiErrors with their fields as causes.
 */
export async function applyObject(
  registry: ApiRegistry,
  manifest: ManifestObject,
): Promise<Applied> {
  const { kind, version } = manifest.served;
  const warnings: string[] = version.deprecation === undefined ? [] : [version.deprecation];
  const options = {
    version,
    fieldValidation: 'Warn' as const,
    onWarning: (text: string) => warnings.push(text),
  };
  const input = cloneJson(manifest.object);
  const metadata: JsonObject = isJsonObject(input['metadata']) ? input['metadata'] : {};
  input['metadata'] = metadata;
  if (kind.namespaced) metadata['namespace'] ??= 'default';
  const resource = registry.resource(kind.resource);
  const name = typeof metadata['name'] === 'string' ? metadata['name'] : '';
  const namespace = typeof metadata['namespace'] === 'string' ? metadata['namespace'] : undefined;
  const existing = name === '' ? undefined : resource.find(name, namespace);
  if (existing === undefined)
    try {
      return { action: 'created', object: await resource.create(input, options), warnings };
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  const before = resource.get(name, namespace);
  const object = await resource.update(
    name,
    namespace,
    (current) => applyPatch(kind, current, 'strategic', input, version.message),
    options,
  );
  const action =
    object.metadata.resourceVersion === before.metadata.resourceVersion
      ? 'unchanged'
      : 'configured';
  return { action, object, warnings };
}

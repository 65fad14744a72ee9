import { ApiError } from '../api/api-error.ts';
import { formatApiVersion } from '../api/kind.ts';
import { type ManifestObject, parseManifest } from '../api/manifest.ts';
import type { ControlPlane } from '../controlplane/control-plane.ts';

export type ApplyResult =
  | {
      readonly kind: 'created' | 'configured' | 'unchanged';
      /** As kubectl names it: `deployment.apps/web`. */
      readonly object: string;
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: 'refused';
      /** `file:line`. */
      readonly where: string;
      readonly message: string;
    };

/** Applies what is good in a manifest, in order, and says of the rest what is wrong and where. */
export async function applyManifests(
  controlPlane: ControlPlane,
  text: string,
  file: string,
): Promise<ApplyResult[]> {
  const manifest = parseManifest(text, file);
  const results: ApplyResult[] = manifest.errors.map(({ position, field, message }) => ({
    kind: 'refused',
    where: `${position.file}:${position.line}`,
    message: field === undefined ? message : `${field}: ${message}`,
  }));
  for (const object of manifest.objects) results.push(await applyOne(controlPlane, object));
  return results;
}

async function applyOne(
  controlPlane: ControlPlane,
  manifest: ManifestObject,
): Promise<ApplyResult> {
  try {
    const { action, object, warnings } = await controlPlane.apply(manifest);
    return { kind: action, object: nameOf(manifest, object.metadata.name ?? ''), warnings };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { file, line } = manifest.position;
    return { kind: 'refused', where: `${file}:${line}`, message: error.message };
  }
}

function nameOf({ served }: ManifestObject, name: string): string {
  const [, group = ''] = /^(.*)\/[^/]+$/.exec(formatApiVersion(served.version)) ?? [];
  return `${served.kind.singular}${group === '' ? '' : `.${group}`}/${name}`;
}

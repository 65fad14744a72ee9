import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { Container, KeyToPath, Pod, Volume } from '../../api/types/core.ts';
import { PodwireError } from '../../base/errors.ts';
import { decoded, type EnvSources } from './container-env.ts';

/**
 * A pod's own folder, which stands for the root of its file system: a volume mounted at /etc/config is the
 * folder's etc/config. It is the working directory of process pods and PODWIRE_ROOT in their environment.
 */
export class PodFolder {
  readonly path: string;
  #made = false;

  constructor(parent: string, uid: string) {
    this.path = join(parent, uid);
  }

  /**
   * Writes what the container's mounts hold. hostPath mounts are the host's business and are left out.
   * Throws CreateContainerConfigError when a ConfigMap or Secret is missing.
   */
  async mount(pod: Pod, container: Container, sources: EnvSources): Promise<void> {
    await this.#make(this.path);
    for (const { name, mountPath } of container.volumeMounts ?? []) {
      const volume = pod.spec.volumes?.find((candidate) => candidate.name === name);
      if (volume === undefined) continue;
      const target = join(this.path, normalize(`/${mountPath}`));
      await mkdir(target, { recursive: true, mode: 0o700 });
      for (const [file, content] of Object.entries(volumeFiles(volume, sources))) {
        const path = join(target, normalize(`/${file}`));
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await replaceFile(path, content);
      }
    }
  }

  /** Makes the folder and writes one file into it, e.g. `etc/resolv.conf`. */
  async write(file: string, content: string): Promise<void> {
    const path = join(this.path, normalize(`/${file}`));
    await this.#make(this.path);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, content);
  }

  async remove(): Promise<void> {
    if (this.#made) await rm(this.path, { recursive: true, force: true });
  }

  async #make(path: string): Promise<void> {
    this.#made = true;
    await mkdir(path, { recursive: true, mode: 0o700 });
  }
}

/** Whoever reads at the same time sees the old content or the new, never a part. */
async function replaceFile(path: string, content: string): Promise<void> {
  const unfinished = `${path}.tmp`;
  await writeFile(unfinished, content, { mode: 0o600 });
  await rename(unfinished, path);
}

/** File name → content of a ConfigMap or Secret volume; none for the other kinds. */
function volumeFiles(volume: Volume, sources: EnvSources): Record<string, string> {
  if (volume.configMap !== undefined) {
    const { name = '', items, optional } = volume.configMap;
    const found = sources.configMap(name);
    if (found === undefined && optional !== true) throw missing('configmap', name);
    return selected(found?.data ?? {}, items);
  }
  if (volume.secret !== undefined) {
    const { secretName = '', items, optional } = volume.secret;
    const found = sources.secret(secretName);
    if (found === undefined && optional !== true) throw missing('secret', secretName);
    return selected(found === undefined ? {} : decoded(found), items);
  }
  return {};
}

function selected(
  data: Readonly<Record<string, string>>,
  items: readonly KeyToPath[] | undefined,
): Record<string, string> {
  if (items === undefined) return { ...data };
  return Object.fromEntries(
    items.flatMap(({ key, path }) => {
      const value = data[key];
      return value === undefined ? [] : [[path, value]];
    }),
  );
}

function missing(kind: string, name: string): PodwireError {
  return new PodwireError('CreateContainerConfigError', `${kind} "${name}" not found`);
}

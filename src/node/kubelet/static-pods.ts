import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError } from '../../api/api-error.ts';
import { parseManifest } from '../../api/manifest.ts';
import type { Pod } from '../../api/types/core.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { errorCode, errorMessage } from '../../base/errors.ts';
import { Lifetime, type Resource } from '../../base/lifetime.ts';
import type { Logger } from '../../base/log.ts';
import type { Client } from '../../controlplane/client/client.ts';
import type { ObjectFeed } from '../object-feed.ts';

const MIRROR = 'kubernetes.io/config.mirror';
const NO_EXECUTE = { operator: 'Exists', effect: 'NoExecute' } as const;
/** The kubelet hears of changes from inotify, and looks every 20 s besides. */
const LOOK_EVERY_MS = 1_000;
const MANIFEST = /\.(ya?ml|json)$/;

export interface StaticPodsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly client: Client;
  readonly pods: ObjectFeed<Pod>;
  readonly nodeName: string;
  /** `--pod-manifest-path`. Need not be there yet. */
  readonly folder: string;
}

/**
 * Keeps the pods of a folder's manifests on one node, whatever the control plane wants: each has a mirror
 * in the API, which comes back when it is deleted. A file that cannot be read keeps the pods it had.
 */
export class StaticPods implements Resource {
  readonly #options: StaticPodsOptions;
  readonly #lifetime: Lifetime;
  readonly #running: Promise<void>;
  /** What each file held when it could last be read. */
  readonly #files = new Map<string, readonly Pod[]>();

  constructor(options: StaticPodsOptions) {
    this.#options = options;
    this.#lifetime = new Lifetime(`static pods of ${options.nodeName}`);
    this.#running = this.#run(this.#lifetime.signal);
    this.#lifetime.defer(() => this.#running);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log, nodeName } = this.#options;
    while (!signal.aborted) {
      await this.#look().catch((error: unknown) =>
        log.warn({ err: error, node: nodeName }, 'static pods not brought up to date'),
      );
      await sleep(clock, LOOK_EVERY_MS, signal).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { client, pods, nodeName } = this.#options;
    await this.#readFolder();
    const wanted = [...this.#files.values()].flat();
    const plan = planMirrors(wanted, mirrorsOf(pods.list(), nodeName));
    for (const pod of plan.remove)
      await ignoring('NotFound', () =>
        client.resource('pods').delete(pod.metadata.name ?? '', pod.metadata.namespace),
      );
    for (const pod of plan.create)
      await ignoring('AlreadyExists', () => client.resource('pods').create(pod));
  }

  async #readFolder(): Promise<void> {
    const { folder, log, nodeName } = this.#options;
    const names = (await filesIn(folder)).filter((name) => MANIFEST.test(name)).toSorted();
    for (const name of this.#files.keys()) if (!names.includes(name)) this.#files.delete(name);
    for (const name of names) {
      const { pods, problem } = staticPodsOf(
        await readFile(join(folder, name), 'utf8'),
        name,
        nodeName,
      );
      if (problem === undefined) this.#files.set(name, pods);
      else log.warn({ file: join(folder, name), problem }, 'static pod manifest not used');
    }
  }
}

/** The mirror pods a manifest asks for, or why it is not used as a whole. */
export function staticPodsOf(
  text: string,
  file: string,
  nodeName: string,
): { readonly pods: readonly Pod[]; readonly problem?: string } {
  const { objects, errors } = parseManifest(text, file);
  const [error] = errors;
  if (error !== undefined) return { pods: [], problem: error.message };
  const other = objects.find(({ served }) => served.kind.kind !== 'Pod');
  if (other !== undefined)
    return { pods: [], problem: `static pods are Pods, not ${other.served.kind.kind}` };
  return { pods: objects.map(({ object }) => mirror(object as unknown as Pod, nodeName)) };
}

/** pkg/kubelet/config/common.go, applyDefaults; pkg/kubelet/pod/mirror_client.go. */
function mirror(pod: Pod, nodeName: string): Pod {
  const { metadata, spec } = pod;
  const hash = createHash('md5').update(JSON.stringify(pod)).digest('hex');
  return {
    ...pod,
    metadata: {
      ...metadata,
      name: `${metadata.name}-${nodeName}`,
      namespace: metadata.namespace ?? 'default',
      annotations: {
        ...metadata.annotations,
        'kubernetes.io/config.hash': hash,
        [MIRROR]: hash,
        'kubernetes.io/config.source': 'file',
      },
    },
    spec: { ...spec, nodeName, tolerations: [...(spec.tolerations ?? []), NO_EXECUTE] },
  };
}

function mirrorsOf(pods: readonly Pod[], nodeName: string): Pod[] {
  return pods.filter(
    ({ metadata, spec }) =>
      spec.nodeName === nodeName && metadata.annotations?.[MIRROR] !== undefined,
  );
}

/** What to delete and create. One that is on its way out, or changed, is created once it is gone. */
export function planMirrors(
  wanted: readonly Pod[],
  there: readonly Pod[],
): { readonly create: readonly Pod[]; readonly remove: readonly Pod[] } {
  const keyOf = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`;
  const hashOf = ({ metadata }: Pod): string | undefined => metadata.annotations?.[MIRROR];
  const hashes = new Map(wanted.map((pod) => [keyOf(pod), hashOf(pod)]));
  const present = new Set(there.map(keyOf));
  return {
    create: wanted.filter((pod) => !present.has(keyOf(pod))),
    remove: there.filter(
      (pod) =>
        pod.metadata.deletionTimestamp === undefined && hashes.get(keyOf(pod)) !== hashOf(pod),
    ),
  };
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw new Error(`cannot read ${folder}: ${errorMessage(error)}`, { cause: error });
  }
}

async function ignoring(reason: string, action: () => Promise<unknown>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== reason) throw error;
  }
}

import { ApiError } from '../../api/api-error.ts';
import type { Pod, PodStatus } from '../../api/types/core.ts';
import type { ResourceClient } from '../../controlplane/client/client.ts';

/**
 * Writes one pod's status, one write at a time; what changes during a write goes out with the next one.
 * An unchanged status is not written again.
 */
export class StatusPublisher {
  readonly #pods: ResourceClient<Pod>;
  readonly #name: string;
  readonly #namespace: string;
  readonly #uid: string;
  readonly #compute: (pod: Pod) => PodStatus;
  readonly #onError: (error: unknown) => void;
  #pod: Pod;
  #written = '';
  #dirty = false;
  #muted = false;
  #writing: Promise<void> | undefined;

  constructor(options: {
    pods: ResourceClient<Pod>;
    pod: Pod;
    compute: (pod: Pod) => PodStatus;
    onError: (error: unknown) => void;
  }) {
    this.#pods = options.pods;
    this.#pod = options.pod;
    this.#name = options.pod.metadata.name ?? '';
    this.#namespace = options.pod.metadata.namespace ?? '';
    this.#uid = options.pod.metadata.uid ?? '';
    this.#compute = options.compute;
    this.#onError = options.onError;
  }

  /** A newer version of the pod has come in. */
  observe(pod: Pod): void {
    this.#pod = pod;
  }

  /** Nothing is written any more. */
  mute(): void {
    this.#muted = true;
  }

  /** Something changed: write it soon. Resolves once the status as of now is stored. */
  publish(): Promise<void> {
    this.#dirty = true;
    this.#writing ??= this.#drain();
    return this.#writing;
  }

  async #drain(): Promise<void> {
    // Lets the changes of one turn go out together.
    await Promise.resolve();
    try {
      while (this.#dirty && !this.#muted) {
        this.#dirty = false;
        await this.#write();
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #write(): Promise<void> {
    const status = this.#compute(this.#pod);
    const text = JSON.stringify(status);
    if (text === this.#written) return;
    try {
      this.#pod = await this.#pods.updateStatus({ ...this.#pod, status });
      this.#written = text;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.reason === 'NotFound') return;
      if (error.reason !== 'Conflict') throw error;
      const current = await this.#pods.get(this.#name, this.#namespace);
      if (current.metadata.uid !== this.#uid) return;
      this.#pod = current;
      this.#dirty = true;
    }
  }
}

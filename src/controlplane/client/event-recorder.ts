import { ApiError } from '../../api/api-error.ts';
import type { Event } from '../../api/types/core.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Clock } from '../../base/clock.ts';
import { errorMessage } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { formatTimestamp } from '../../base/timestamp.ts';
import type { Client } from '../client/client.ts';

/** How many different events are remembered for counting repetitions (client-go's EventCorrelator). */
const MAX_REMEMBERED = 4096;
/** Events waiting to be written; beyond it new ones are dropped. */
const MAX_QUEUED = 1000;

export interface EventRecorderOptions {
  /** `deployment-controller`, `default-scheduler` … */
  readonly component: string;
  /** The node it speaks from, for components that run on one. */
  readonly host?: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Occurrence {
  readonly object: KubeObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly fieldPath: string | undefined;
  readonly atMs: number;
}

/**
 * Writes Events about objects; the same event again raises its count. Never fails its caller and never makes
 * it wait: events are a help to people, nothing depends on them.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  /** By what happened to what: the stored event's name. Oldest first. */
  readonly #remembered = new Map<string, { name: string; count: number }>();
  readonly #queue: Occurrence[] = [];
  #sequence = 0;
  #writing: Promise<void> | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** `fieldPath` names the part of the object it is about: `spec.containers{web}`. */
  record(
    object: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    fieldPath?: string,
  ): void {
    if (this.#queue.length >= MAX_QUEUED) return;
    const atMs = this.#options.clock.wallNow();
    this.#queue.push({ object, type, reason, message, fieldPath, atMs });
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything recorded so far is written. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      try {
        await this.#write(next);
      } catch (error) {
        // Nothing depends on it; the object or its namespace may be gone by now.
        this.#options.logger.debug(
          { reason: next.reason, error: errorMessage(error) },
          'event not written',
        );
      }
    this.#writing = undefined;
  }

  async #write(occurrence: Occurrence): Promise<void> {
    const { object, type, reason, message, fieldPath = '' } = occurrence;
    const key = [object.metadata.uid, type, reason, message, fieldPath].join('\n');
    const known = this.#remembered.get(key);
    if (known !== undefined && (await this.#raise(known, occurrence))) return;
    this.#sequence += 1;
    const name = `${object.metadata.name}.${occurrence.atMs.toString(16)}${this.#sequence.toString(16)}`;
    await this.#options.client.resource('events').create(this.#event(name, occurrence));
    this.#remembered.set(key, { name, count: 1 });
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined)
      this.#remembered.delete(oldest);
  }

  /** False when the event has been deleted meanwhile. */
  async #raise(known: { name: string; count: number }, occurrence: Occurrence): Promise<boolean> {
    try {
      await this.#options.client
        .resource('events')
        .patch(known.name, eventNamespace(occurrence.object), {
          type: 'merge',
          body: { count: known.count + 1, lastTimestamp: formatTimestamp(occurrence.atMs) },
        });
      known.count += 1;
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.reason === 'NotFound') return false;
      throw error;
    }
  }

  #event(name: string, occurrence: Occurrence): Event {
    const { object, type, reason, message, fieldPath, atMs } = occurrence;
    const { component, host } = this.#options;
    const { metadata } = object;
    const namespace = eventNamespace(object);
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name: metadata.name ?? '',
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        uid: metadata.uid ?? '',
        ...(metadata.resourceVersion === undefined
          ? {}
          : { resourceVersion: metadata.resourceVersion }),
        ...(fieldPath === undefined ? {} : { fieldPath }),
      },
      type,
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? '',
      firstTimestamp: formatTimestamp(atMs),
      lastTimestamp: formatTimestamp(atMs),
      count: 1,
    };
  }
}

/** Events about cluster-scoped objects live in `default`. */
function eventNamespace(object: KubeObject): string {
  return object.metadata.namespace ?? 'default';
}

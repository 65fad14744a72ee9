import type { FileHandle } from 'node:fs/promises';
import type { KubeObject } from '../../api/types/meta.ts';
import { errorMessage, PodwireError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { lockDirectory, openLog, recover, writeSnapshot } from './log-files.ts';
import { encodeRecord, type LogRecord } from './log-record.ts';
import { ObjectState } from './object-state.ts';
import {
  type CommitOutcome,
  revisionOf,
  type Store,
  type StoreEvent,
  type StoreKey,
  type StoreWrite,
  type WatchOutcome,
} from './store.ts';

/**
 * When written changes are forced to the disk. `always`: before a commit is acknowledged, one fdatasync for
 * all commits that wait; survives a power cut. `never`: when the system likes; survives a kill of the process.
 */
export type SyncPolicy = 'always' | 'never';

export interface LogStoreOptions {
  readonly directory: string;
  readonly logger: Logger;
  /** Default `always`. */
  readonly sync?: SyncPolicy;
  readonly historyEvents?: number;
  /** A log larger than this, and than twice the last snapshot, is replaced by a snapshot. Default 8 MiB. */
  readonly snapshotBytes?: number;
}

interface PendingWrite {
  readonly write: StoreWrite;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_SNAPSHOT_BYTES = 8 * 1024 * 1024;

/**
 * A directory with an append-only log and snapshots. A change is visible once it is in the log (and, by the
 * default policy, on the disk). Owns the directory's lock and the log file.
 */
export class LogStore implements Store {
  readonly #options: LogStoreOptions;
  readonly #state: ObjectState;
  readonly #unlock: () => Promise<void>;
  readonly #queue: PendingWrite[] = [];
  #log: FileHandle;
  #logBytes = 0;
  #snapshotBytes: number;
  #writing: Promise<void> | undefined;
  #snapshotting: Promise<void> | undefined;
  #failure: PodwireError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    options: LogStoreOptions,
    state: ObjectState,
    log: FileHandle,
    snapshotBytes: number,
    unlock: () => Promise<void>,
  ) {
    this.#options = options;
    this.#state = state;
    this.#log = log;
    this.#snapshotBytes = snapshotBytes;
    this.#unlock = unlock;
  }

  /** Reads what is there. Throws PodwireErrors: `store-locked`, `store-corrupt`, `store-failed`. */
  static async open(options: LogStoreOptions): Promise<LogStore> {
    const { directory, logger } = options;
    const unlock = await lockDirectory(directory);
    try {
      const recovery = await recover(directory);
      if (recovery.cut !== undefined)
        logger.warn(recovery.cut, 'the log ended in the middle of a write; it was cut there');
      const state = new ObjectState(options);
      for (const record of recovery.records)
        if (record.object !== undefined) state.load(record.key, record.object, record.revision);
        else state.unload(record.key);
      state.loaded(recovery.revision);
      // A new log after a snapshot: what was recovered is whole again, whatever happens next.
      const snapshotBytes = await writeSnapshot(
        directory,
        recovery.revision,
        snapshotRecords(state),
      );
      const log = await openLog(directory, recovery.revision);
      return new LogStore(options, state, log, snapshotBytes, unlock);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  get revision(): number {
    return this.#state.revision;
  }

  get(key: StoreKey): KubeObject | undefined {
    return this.#state.get(key);
  }

  list(resource: string, namePrefix?: string): readonly KubeObject[] {
    return this.#state.list(resource, namePrefix);
  }

  watch(
    resource: string,
    afterRevision: number,
    listener: (event: StoreEvent) => void,
  ): WatchOutcome {
    return this.#state.watch(resource, afterRevision, listener);
  }

  commit(write: StoreWrite): Promise<CommitOutcome> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject });
      this.#writing ??= this.#drain();
    });
  }

  /** Writes what was committed, then lets the directory go. */
  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #finish(): Promise<void> {
    await this.#writing;
    this.#failure ??= new PodwireError('store-failed', 'the store is closed');
    await this.#snapshotting;
    await this.#log.close();
    await this.#unlock();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0);
      try {
        await this.#writeBatch(batch);
      } catch (error) {
        this.#failure = new PodwireError(
          'store-failed',
          `cannot write to ${this.#options.directory}: ${errorMessage(error)}`,
          { cause: error },
        );
        for (const { reject } of [...batch, ...this.#queue.splice(0)]) reject(this.#failure);
      }
    }
    this.#writing = undefined;
  }

  async #writeBatch(batch: readonly PendingWrite[]): Promise<void> {
    const staged = new Map<string, number>();
    const records: LogRecord[] = [];
    const accepted: { readonly pending: PendingWrite; readonly record: LogRecord }[] = [];
    let { revision } = this.#state;
    for (const pending of batch) {
      const { key, expected, object } = pending.write;
      const id = `${key.resource}/${key.name}`;
      const current = this.#state.get(key);
      const present = staged.get(id) ?? (current === undefined ? 0 : revisionOf(current));
      if (present !== expected || (object === undefined && present === 0)) {
        pending.resolve({ kind: 'conflict', current });
        continue;
      }
      revision += 1;
      staged.set(id, object === undefined ? 0 : revision);
      const record = { revision, key, object };
      records.push(record);
      accepted.push({ pending, record });
    }
    if (records.length === 0) return;
    const bytes = Buffer.concat(records.map(encodeRecord));
    await this.#log.appendFile(bytes);
    if (this.#options.sync !== 'never') await this.#log.datasync();
    this.#logBytes += bytes.length;
    for (const { pending, record } of accepted) {
      const object = this.#state.apply(record.key, record.object, record.revision);
      if (object !== undefined)
        pending.resolve({ kind: 'committed', object, revision: record.revision });
    }
    await this.#rotateIfLarge();
  }

  /** New changes go to a new log while the snapshot of the old ones is written. */
  async #rotateIfLarge(): Promise<void> {
    const limit = Math.max(
      this.#options.snapshotBytes ?? DEFAULT_SNAPSHOT_BYTES,
      2 * this.#snapshotBytes,
    );
    if (this.#logBytes < limit || this.#snapshotting !== undefined) return;
    const { revision } = this.#state;
    const records = [...snapshotRecords(this.#state)];
    const old = this.#log;
    this.#log = await openLog(this.#options.directory, revision);
    this.#logBytes = 0;
    await old.close();
    this.#snapshotting = this.#snapshot(revision, records);
  }

  async #snapshot(revision: number, records: readonly LogRecord[]): Promise<void> {
    try {
      this.#snapshotBytes = await writeSnapshot(this.#options.directory, revision, records);
    } catch (error) {
      // Nothing is lost: the logs are all there. The next attempt comes with the next full log.
      this.#options.logger.warn({ error: errorMessage(error) }, 'snapshot failed');
    }
    this.#snapshotting = undefined;
  }
}

function* snapshotRecords(state: ObjectState): Generator<LogRecord> {
  for (const { key, object } of state.entries())
    yield { revision: revisionOf(object), key, object };
}

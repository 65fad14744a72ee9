import { expired } from '../../api/status-errors.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Store, StoreEvent } from '../store/store.ts';

/** Events a reader may be behind, unless configured, before its watch ends with 410. */
export const DEFAULT_WATCH_BACKLOG = 8192;

export interface ObjectEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

/** Everything up to this revision has been told. */
export interface BookmarkEvent {
  readonly type: 'BOOKMARK';
  readonly resourceVersion: string;
}

export interface BookmarkOptions {
  readonly clock: Clock;
  readonly everyMs: number;
}

interface WatchStreamOptions {
  readonly store: Store;
  readonly resource: string;
  readonly afterRevision: number;
  readonly signal: AbortSignal;
  readonly maxBacklog: number;
  /** Whether the reader's selectors and namespace take the object. */
  readonly selects: (object: KubeObject) => boolean;
  /** Absent: no bookmarks. */
  readonly bookmarks?: BookmarkOptions | undefined;
}

/**
 * Changes of one resource as a reader with selectors sees them: an object that enters the selection is
 * ADDED, one that leaves it DELETED. Throws 410 when the history is gone or the reader fell too far behind;
 * then nothing is kept for it any more.
 *
 * @yields the selected changes, in order
 */
export async function* watchStream(
  options: WatchStreamOptions,
): AsyncGenerator<ObjectEvent | BookmarkEvent> {
  const { store, resource, afterRevision, signal, maxBacklog, selects, bookmarks } = options;
  let backlog: ObjectEvent[] = [];
  let overflowed = false;
  let wake: () => void = () => {};
  const outcome = store.watch(resource, afterRevision, (event) => {
    const selected = selectEvent(event, selects);
    if (selected === undefined || overflowed) return;
    if (backlog.length >= maxBacklog) {
      overflowed = true;
      backlog = [];
    } else backlog.push(selected);
    wake();
  });
  if (outcome.kind === 'expired')
    throw expired(`too old resource version: ${afterRevision} (${outcome.oldest})`);
  let bookmarkDue = false;
  const schedule = (): Timer | undefined =>
    bookmarks?.clock.setTimer(bookmarks.everyMs, () => {
      bookmarkDue = true;
      timer = schedule();
      wake();
    });
  let timer = schedule();
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      if (overflowed)
        throw expired(`the watch fell more than ${maxBacklog} events behind; list again`);
      const batch = backlog;
      backlog = [];
      for (const event of batch) {
        if (signal.aborted) return;
        yield event;
      }
      if (bookmarkDue && backlog.length === 0) {
        bookmarkDue = false;
        yield { type: 'BOOKMARK', resourceVersion: String(store.revision) };
      }
      if (backlog.length === 0 && !overflowed && !signal.aborted)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    timer?.cancel();
    signal.removeEventListener('abort', onAbort);
    outcome.stop();
  }
}

function selectEvent(
  event: StoreEvent,
  selects: (object: KubeObject) => boolean,
): ObjectEvent | undefined {
  const before = event.previous !== undefined && selects(event.previous);
  if (event.type === 'delete')
    return before ? { type: 'DELETED', object: event.object } : undefined;
  if (selects(event.object)) return { type: before ? 'MODIFIED' : 'ADDED', object: event.object };
  if (!before) return undefined;
  // The last state that was selected, at the revision where it left.
  const left = event.previous;
  return {
    type: 'DELETED',
    object: { ...left, metadata: { ...left.metadata, resourceVersion: String(event.revision) } },
  };
}

import { ApiError } from '../../api/api-error.ts';
import { formatApiVersion } from '../../api/kind.ts';
import type { ServedKind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type { Clock } from '../../base/clock.ts';
import type { ResourceRegistry } from '../registry/resource-registry.ts';
import type { Selection } from '../registry/write-options.ts';
import { inVersion, representObject, type RepresentOptions } from './represent.ts';

export interface WatchRequest {
  readonly served: ServedKind;
  readonly registry: ResourceRegistry;
  readonly selection: Selection;
  /** Changes after this; `undefined` begins with the present state as ADDED events. */
  readonly afterRevision: number | undefined;
  readonly bookmarks: boolean;
  /** WatchList (KEP-3157): the present state, then a bookmark that says so. */
  readonly initialEvents: boolean;
  readonly timeoutMs: number;
  readonly represent: () => RepresentOptions;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const BOOKMARK_INTERVAL_MS = 60_000;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Encoded once for all watchers: frozen objects never change. */
const encoded = new WeakMap<KubeObject, string>();

/**
 * A watch as lines of JSON. Ends after its timeout; a reader that fell behind gets an ERROR event with code
 * 410 as its last line.
 *
 * @yields one event a line
 */
export async function* watchLines(request: WatchRequest): AsyncGenerator<string> {
  const { registry, selection, signal, clock } = request;
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  signal.addEventListener('abort', stop);
  const timeout = clock.setTimer(request.timeoutMs, stop);
  try {
    let revision = request.afterRevision;
    if (revision === undefined || request.initialEvents) {
      revision = registry.revision;
      for (const object of registry.list(selection)) yield line(request, 'ADDED', object);
      if (request.initialEvents)
        yield bookmark(request, String(revision), { [INITIAL_EVENTS_END]: 'true' });
    }
    const bookmarks = request.bookmarks ? { clock, everyMs: BOOKMARK_INTERVAL_MS } : undefined;
    for await (const event of registry.watch(selection, revision, controller.signal, bookmarks))
      yield event.type === 'BOOKMARK'
        ? bookmark(request, event.resourceVersion)
        : line(request, event.type, event.object);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    yield `${JSON.stringify({ type: 'ERROR', object: error.status })}\n`;
  } finally {
    timeout.cancel();
    signal.removeEventListener('abort', stop);
    controller.abort();
  }
}

function line(
  request: WatchRequest,
  type: 'ADDED' | 'MODIFIED' | 'DELETED',
  object: KubeObject,
): string {
  return `{"type":"${type}","object":${body(request, object)}}\n`;
}

function body(request: WatchRequest, object: KubeObject): string {
  const options = request.represent();
  const { kind, version } = request.served;
  if (options.presentation.kind !== 'object')
    return JSON.stringify(representObject(object, request.served, options));
  if (version !== kind.versions[0]) return JSON.stringify(inVersion(object, request.served));
  let text = encoded.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    encoded.set(object, text);
  }
  return text;
}

function bookmark(
  request: WatchRequest,
  resourceVersion: string,
  annotations?: Readonly<Record<string, string>>,
): string {
  const metadata = {
    resourceVersion,
    ...(annotations === undefined ? {} : { annotations }),
  };
  const { presentation } = request.represent();
  const object =
    presentation.kind === 'table'
      ? {
          kind: 'Table',
          apiVersion: `meta.k8s.io/${presentation.version}`,
          metadata,
          columnDefinitions: null,
          rows: [],
        }
      : {
          kind: request.served.kind.kind,
          apiVersion: formatApiVersion(request.served.version),
          metadata,
        };
  return `${JSON.stringify({ type: 'BOOKMARK', object })}\n`;
}

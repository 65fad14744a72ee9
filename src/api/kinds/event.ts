import { humanDuration } from '../human-duration.ts';
import { isJsonObject, type JsonObject } from '../json.ts';
import { defineKind, type KindDefinition } from '../kind.ts';
import { isDnsSubdomain } from '../names.ts';
import { type TableContext, type TableColumn } from '../table.ts';
import type { Event } from '../types/core.ts';

/** Field names in events.k8s.io/v1 and in the core group (pkg/apis/events/v1/conversion.go). */
const RENAMED = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
] as const;

const columns: readonly TableColumn<Event>[] = [
  {
    name: 'Last Seen',
    description: 'Time since it was last seen.',
    cell: (event, context) => lastSeen(event, context),
  },
  { name: 'Type', description: 'Normal or Warning.', cell: (event) => event.type ?? '' },
  {
    name: 'Reason',
    description: 'What happened, in one word.',
    cell: (event) => event.reason ?? '',
  },
  {
    name: 'Object',
    description: 'What it happened to.',
    cell: ({ involvedObject }) => {
      const kind = (involvedObject.kind ?? '').toLowerCase();
      const name = involvedObject.name ?? '';
      return name === '' ? kind : `${kind}/${name}`;
    },
  },
  {
    name: 'Subobject',
    priority: 1,
    description: 'The part of the object.',
    cell: (event) => event.involvedObject.fieldPath ?? '',
  },
  { name: 'Source', priority: 1, description: 'Who reported it.', cell: source },
  { name: 'Message', description: 'What happened.', cell: (event) => (event.message ?? '').trim() },
  {
    name: 'First Seen',
    priority: 1,
    description: 'Time since it was first seen.',
    cell: (event, context) => since(event.firstTimestamp ?? event.eventTime, context),
  },
  {
    name: 'Count',
    type: 'integer',
    priority: 1,
    description: 'How often it was seen.',
    cell: (event) => event.series?.count ?? event.count ?? 1,
  },
  {
    name: 'Name',
    format: 'name',
    priority: 1,
    description: 'Unique within its namespace.',
    cell: (event) => event.metadata.name ?? '',
  },
];

export const eventKind: KindDefinition = defineKind<Event>({
  kind: 'Event',
  resource: 'events',
  singular: 'event',
  shortNames: ['ev'],
  namespaced: true,
  storagePrefix: 'events',
  versions: [
    { group: '', version: 'v1' },
    {
      group: 'events.k8s.io',
      version: 'v1',
      message: 'events.v1.Event',
      toStorage(object) {
        for (const [theirs, ours] of RENAMED) rename(object, theirs, ours);
      },
      fromStorage(object) {
        for (const [theirs, ours] of RENAMED) rename(object, ours, theirs);
      },
    },
  ],
  message: 'core.v1.Event',
  nameCheck: isDnsSubdomain,
  hasGeneration: false,
  hasStatus: false,
  selectableFields: {
    'involvedObject.kind': '',
    'involvedObject.namespace': '',
    'involvedObject.name': '',
    'involvedObject.uid': '',
    'involvedObject.apiVersion': '',
    'involvedObject.resourceVersion': '',
    'involvedObject.fieldPath': '',
    reason: '',
    reportingComponent: '',
    source: '',
    type: '',
  },
  columns,
  /** None of these are omitempty in Go: every event has them. */
  defaults(event) {
    event.eventTime ??= null;
    event.firstTimestamp ??= null;
    event.lastTimestamp ??= null;
    event.source ??= {};
    event.reportingComponent ??= '';
    event.reportingInstance ??= '';
  },
  validate(event, { errors }) {
    const { namespace = '' } = event.involvedObject;
    const home = event.metadata.namespace;
    if (namespace !== '' && namespace !== home)
      errors.invalid('involvedObject.namespace', namespace, 'does not match event.namespace');
  },
});

function rename(object: JsonObject, from: string, to: string): void {
  if (!Object.hasOwn(object, from)) return;
  object[to] = isJsonObject(object[from]) ? { ...object[from] } : object[from];
  delete object[from];
}

function since(timestamp: string | null | undefined, { nowMs }: TableContext): string {
  return timestamp === undefined || timestamp === null
    ? '<unknown>'
    : humanDuration(nowMs - Date.parse(timestamp));
}

function lastSeen(event: Event, context: TableContext): string {
  const first = since(event.firstTimestamp ?? event.eventTime, context);
  if (event.series !== undefined) {
    const last = since(event.series.lastObservedTime, context);
    return (event.series.count ?? 1) > 1 ? `${last} (x${event.series.count} over ${first})` : last;
  }
  const last = since(event.lastTimestamp ?? event.eventTime, context);
  return (event.count ?? 1) > 1 ? `${last} (x${event.count} over ${first})` : last;
}

function source(event: Event): string {
  const component = event.source?.component ?? event.reportingComponent ?? '';
  const host = event.source?.host ?? '';
  return host === '' ? component : `${component}, ${host}`;
}

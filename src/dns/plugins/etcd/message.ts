import type { BackendRecord } from '../../backend/backend.ts';
import { labelsOf } from '../../message/name.ts';
import type { KeyValue } from '../../plugin/key-value.ts';

/** SkyDNS's defaults for fields a message leaves out; the etcd plugin's TTL. */
const DEFAULT_PRIORITY = 10;
const DEFAULT_TTL_SECONDS = 300;
/** How entries are kept: below which prefix, and what a lease may make of a TTL. */
export interface SkydnsLayout {
  /** First segment of keys, without slashes: `skydns`. */
  readonly prefix: string;
  readonly minLeaseSeconds: number;
  readonly maxLeaseSeconds: number;
}

/** `rails.east.skydns.local.` as `/skydns/local/skydns/east/rails`. Folded names give folded keys. */
export function keyOfName(name: string, prefix: string): string {
  return ['', prefix, ...labelsOf(name).toReversed()].join('/');
}

/** The reverse of {@link keyOfName}. */
export function nameOfKey(key: string, prefix: string): string {
  const labels = key.slice(prefix.length + 2).split('/');
  return `${labels
    .filter((label) => label !== '')
    .toReversed()
    .join('.')}.`;
}

/** A SkyDNS message, or undefined when the value is none. */
export function parseSkydnsMessage(
  entry: KeyValue,
  layout: SkydnsLayout,
): BackendRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(entry.value);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Record<string, unknown>;
  const text = (name: string): string => {
    const field = fields[name];
    return typeof field === 'string' ? field : '';
  };
  const number = (name: string): number => {
    const field = fields[name];
    return typeof field === 'number' && Number.isInteger(field) ? field : 0;
  };
  const mail = fields['mail'] === true;
  return {
    host: text('host'),
    port: number('port'),
    priority: number('priority') || DEFAULT_PRIORITY,
    weight: number('weight'),
    ttlSeconds: ttlOf(entry.leaseSeconds, number('ttl'), layout),
    name: nameOfKey(entry.key, layout.prefix),
    ...(text('text') === '' ? {} : { text: text('text') }),
    ...(mail ? { mail } : {}),
    targetStrip: number('targetstrip'),
    ...(text('group') === '' ? {} : { group: text('group') }),
  };
}

/** The lesser of the message's TTL and what its lease has left. */
function ttlOf(leaseSeconds: number, ttlSeconds: number, layout: SkydnsLayout): number {
  const lease =
    leaseSeconds === 0
      ? 0
      : Math.min(Math.max(leaseSeconds, layout.minLeaseSeconds), layout.maxLeaseSeconds);
  if (lease === 0 && ttlSeconds === 0) return DEFAULT_TTL_SECONDS;
  if (lease === 0) return ttlSeconds;
  return ttlSeconds === 0 ? lease : Math.min(lease, ttlSeconds);
}

/**
 * Only entries of one group are served together: that of the shortest key decides. Entries without a
 * group always belong; when entries at that depth disagree there is no grouping.
 */
export function selectGroup(records: readonly BackendRecord[]): BackendRecord[] {
  const [first] = records;
  if (first === undefined) return [];
  let group = '';
  let shortest = Number.POSITIVE_INFINITY;
  for (const entry of records) {
    const depth = labelsOf(entry.name).length;
    if (depth < shortest) {
      shortest = depth;
      group = entry.group ?? '';
    } else if (depth === shortest && (entry.group ?? '') !== group) {
      return [...records];
    }
  }
  return records.filter(
    (entry) => (entry.group ?? '') === '' || group === '' || entry.group === group,
  );
}

import type { BackendRecord, Found } from '../../backend/backend.ts';
import { labelsOf } from '../../message/name.ts';
import type { KeyValue, KeyValueReader } from '../../plugin/key-value.ts';
import { keyOfName, parseSkydnsMessage, selectGroup, type SkydnsLayout } from './message.ts';

/** A lookup that takes longer is given up. */
const CALL = { timeoutMs: 4000 } as const;
/** Larger subtrees are cut: no reply could hold them. */
const MAX_ENTRIES = 10_000;

/** Labels that stand for any label. */
const WILDCARDS: ReadonlySet<string> = new Set(['*', 'any']);

/**
 * Entries at a name and, unless `exact`, below it. A wildcard label matches one label at its place
 * (SkyDNS). Undefined when there is none.
 */
export async function findEntries(
  store: KeyValueReader,
  folded: string,
  layout: SkydnsLayout,
  exact: boolean,
): Promise<Found> {
  const { prefix } = layout;
  const labels = labelsOf(folded);
  const wildcard = labels.findLastIndex((label) => WILDCARDS.has(label));
  const path = keyOfName(folded, prefix);
  if (wildcard === -1 && exact) {
    const entry = await store.get(path, CALL);
    return entry === undefined ? undefined : recordsOf([entry], layout);
  }
  // Everything right of the rightmost wildcard is a fixed path.
  const fixed =
    wildcard === -1 ? path : keyOfName(`${labels.slice(wildcard + 1).join('.')}.`, prefix);
  const below = await store.list(`${fixed}/`, CALL);
  const own = wildcard === -1 ? await store.get(path, CALL) : undefined;
  const entries = [...(own === undefined ? [] : [own]), ...below].slice(0, MAX_ENTRIES);
  const matching = wildcard === -1 ? entries : entries.filter(({ key }) => fits(key, path));
  if (matching.length === 0) return undefined;
  return recordsOf(matching, layout);
}

function recordsOf(entries: readonly KeyValue[], layout: SkydnsLayout): readonly BackendRecord[] {
  const seen = new Set<string>();
  const records = entries.flatMap((entry) => {
    const parsed = parseSkydnsMessage(entry, layout);
    // Entries without anything to say only make the name exist.
    if (parsed === undefined || (parsed.host === '' && parsed.text === undefined)) return [];
    const key = `${parsed.host} ${parsed.port} ${parsed.priority} ${parsed.weight} ${parsed.text ?? ''} ${parsed.name}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [parsed];
  });
  return selectGroup(records);
}

/** Segment by segment; the key may go on below the path. */
function fits(key: string, path: string): boolean {
  const segments = key.split('/');
  return path
    .split('/')
    .every((wanted, index) => WILDCARDS.has(wanted) || segments[index] === wanted);
}

import { joinName } from '../../message/name.ts';
import type { KubernetesView, ServiceTable } from './kubernetes-view.ts';
import type { PortView, SliceView } from './service-view.ts';

/** Names this far apart, in letters, are still taken for a slip of the finger. */
const MAX_DISTANCE = 2;
const MAX_SHOWN = 5;

/** Only for people who asked why: these look at everything there is. */

/** What may have been meant by a namespace that does not exist; empty or `, did you mean …?`. */
export function suggestNamespace(view: KubernetesView, namespace: string): string {
  return didYouMean(closest(namespace, view.namespaceNames()));
}

/** What may have been meant by a Service that does not exist in its namespace. */
export function suggestService(table: ServiceTable, namespace: string, service: string): string {
  const all = table.all();
  const elsewhere = all.filter(({ name }) => name === service).map((view) => view.namespace);
  if (elsewhere.length > 0) return `; there is one in ${shown(elsewhere)}`;
  const here = all.filter((view) => view.namespace === namespace).map(({ name }) => name);
  return didYouMean(closest(service, here));
}

/** What may have been meant by a name that has not the form of a cluster name. */
export function suggestForm(table: ServiceTable, labels: readonly string[], zone: string): string {
  const [service = '', namespace = ''] = labels;
  if (labels.length !== 2 || table.get(namespace, service) === undefined)
    return ': Services are SERVICE.NAMESPACE.svc, pods A-B-C-D.NAMESPACE.pod';
  return `; did you mean ${joinName(`${service}.${namespace}.svc`, zone)}?`;
}

/** The ports there are, as SRV names have them. */
export function listPorts(ports: readonly PortView[]): string {
  const named = ports.filter(({ name }) => name !== '');
  if (named.length === 0) return 'its ports have no names';
  return `there is ${shown(named.map(({ name, protocol }) => `_${name}._${protocol}`))}`;
}

/** The names of the endpoints there are. */
export function listEndpoints(slices: readonly SliceView[]): string {
  return `there is ${shown(slices.flatMap(({ addresses }) => addresses.map(({ label }) => label)))}`;
}

function shown(names: readonly string[]): string {
  const unique = [...new Set(names)];
  const rest = unique.length - MAX_SHOWN;
  return `${unique.slice(0, MAX_SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function didYouMean(name: string | undefined): string {
  return name === undefined ? '' : `; did you mean ${name}?`;
}

function closest(wanted: string, names: readonly string[]): string | undefined {
  const ranked = names
    .map((name) => ({ name, distance: distanceBetween(wanted, name) }))
    .filter(({ name, distance }) => distance <= MAX_DISTANCE && distance < name.length)
    .toSorted((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return ranked[0]?.name;
}

/** Letters to add, leave out, change or swap with a neighbour (optimal string alignment). */
function distanceBetween(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_DISTANCE) return Infinity;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= a.length; row += 1) {
    rows.push([row]);
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      rows[row]?.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (same ? 0 : 1),
          swapped ? at(row - 2, column - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return at(a.length, b.length);
}

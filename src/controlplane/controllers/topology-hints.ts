import { quantityValue } from '../../api/quantity.ts';
import type { Node } from '../../api/types/core.ts';
import type { EndpointSlice, SliceEndpoint } from '../../api/types/discovery.ts';
import { clearHints, mapHints, zoneHint } from './endpoint-hints.ts';
import type { SlicePlan } from './slice-packing.ts';

export const ZONE_LABEL = 'topology.kubernetes.io/zone';
/** Nodes that take no traffic in the long run. */
const EXCLUDED_LABELS = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
/** By how much an endpoint may be loaded above its fair share before hints do more harm than good. */
const OVERLOAD_THRESHOLD = 0.2;

interface Allocation {
  readonly desired: number;
  /** Hints that stand are left alone up to here. */
  readonly maximum: number;
}

export type TopologyOutcome =
  | { readonly kind: 'allocated'; readonly plan: SlicePlan }
  /** Without hints, and why. */
  | { readonly kind: 'refused'; readonly plan: SlicePlan; readonly why: string };

/**
 * Topology-aware hints (KEP-2433, k8s.io/endpointslice/topologycache): spreads the ready endpoints over the
 * zones in proportion to the CPUs of their nodes. Every endpoint is hinted at its own zone first; zones with
 * more than their share then lend some to those with less. Slices that nothing else happens to keep their
 * hints as long as no zone has too many.
 */
export function allocateHints(plan: SlicePlan, nodes: readonly Node[]): TopologyOutcome {
  const ratios = zoneRatios(nodes);
  const all = [...plan.create, ...plan.update, ...plan.unchanged];
  const total = all.flatMap(readyEndpoints).length;
  const allocations = ratios === undefined ? NO_NODE_INFO : allocationsFor(ratios, total);
  if (typeof allocations === 'string') return refused(plan, allocations);
  const hinted = new Map<string, number>();
  const settled = new Set(
    plan.unchanged.filter((slice) => countStanding(slice, hinted, allocations)),
  );
  const open = all.filter((slice) => !settled.has(slice));
  const endpoints = open.flatMap(readyEndpoints);
  if (endpoints.some(({ zone = '' }) => zone === ''))
    return refused(plan, 'One or more endpoints do not have a zone specified');
  for (const { zone = '' } of endpoints) hinted.set(zone, (hinted.get(zone) ?? 0) + 1);
  const lend = lender(allocations, hinted);
  const zones = new Map(endpoints.map((endpoint) => [endpoint, lend(endpoint.zone ?? '')]));
  const result = mapHints(
    { ...plan, unchanged: plan.unchanged.filter((slice) => !settled.has(slice)) },
    (endpoint) => zoneHint(zones.get(endpoint)),
  );
  const unchanged = [...settled, ...result.unchanged];
  return { kind: 'allocated', plan: { ...result, unchanged } };
}

const NO_NODE_INFO =
  'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes';

function refused(plan: SlicePlan, why: string): TopologyOutcome {
  return { kind: 'refused', plan: clearHints(plan), why };
}

function readyEndpoints(slice: EndpointSlice): SliceEndpoint[] {
  return (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false);
}

/** Each zone's share of all CPUs; undefined where a node does not say enough, or there is one zone only. */
function zoneRatios(nodes: readonly Node[]): ReadonlyMap<string, number> | undefined {
  const cpus = new Map<string, number>();
  for (const node of nodes) {
    const { labels = {} } = node.metadata;
    if (EXCLUDED_LABELS.some((label) => labels[label] !== undefined) || !isReady(node)) continue;
    const zone = labels[ZONE_LABEL] ?? '';
    const cpu = quantityValue(node.status?.allocatable?.['cpu'] ?? '0');
    if (zone === '' || cpu === 0) return undefined;
    cpus.set(zone, (cpus.get(zone) ?? 0) + cpu);
  }
  if (cpus.size < 2) return undefined;
  const total = [...cpus.values()].reduce((sum, cpu) => sum + cpu, 0);
  return new Map([...cpus].toSorted(byKey).map(([zone, cpu]) => [zone, cpu / total]));
}

function isReady({ status }: Node): boolean {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
}

/** What every zone should get; or why hints are not possible. */
function allocationsFor(
  ratios: ReadonlyMap<string, number>,
  total: number,
): ReadonlyMap<string, Allocation> | string {
  const counts = `(${total} endpoints, ${ratios.size} zones)`;
  if (ratios.size > total) return `Insufficient number of endpoints ${counts}`;
  const shares = [...ratios].map(([zone, ratio]) => {
    const fair = ratio * total;
    const minimum = Math.ceil(fair * (1 / (1 + OVERLOAD_THRESHOLD)));
    return { zone, minimum, desired: Math.max(fair, minimum) };
  });
  const spare = total - shares.reduce((sum, { minimum }) => sum + minimum, 0);
  if (spare < 0)
    return `Minimum allocation of required endpoints exceeds overload threshold ${counts}`;
  return new Map(
    shares.map(({ zone, minimum, desired }) => [zone, { desired, maximum: minimum + spare }]),
  );
}

/**
 * Whether a slice's hints may stand: every ready endpoint has some, and no zone gets more than its maximum
 * with them. Adds them to `hinted` then.
 */
function countStanding(
  slice: EndpointSlice,
  hinted: Map<string, number>,
  allocations: ReadonlyMap<string, Allocation>,
): boolean {
  const own = new Map<string, number>();
  for (const { hints } of readyEndpoints(slice)) {
    if ((hints?.forZones ?? []).length === 0) return false;
    for (const { name } of hints?.forZones ?? []) {
      if (!allocations.has(name)) return false;
      own.set(name, (own.get(name) ?? 0) + 1);
    }
  }
  for (const [zone, count] of own)
    if (count + (hinted.get(zone) ?? 0) > (allocations.get(zone)?.maximum ?? 0)) return false;
  for (const [zone, count] of own) hinted.set(zone, (hinted.get(zone) ?? 0) + count);
  return true;
}

/** From the zone an endpoint is in to the one that it serves, asked once for each endpoint. */
function lender(
  allocations: ReadonlyMap<string, Allocation>,
  hinted: ReadonlyMap<string, number>,
): (zone: string) => string {
  const { giving, receiving } = exchange(allocations, hinted);
  return (zone) => {
    const left = giving.get(zone) ?? 0;
    const taker = [...receiving].find(([, count]) => count > 0);
    if (left === 0 || taker === undefined) return zone;
    giving.set(zone, left - 1);
    receiving.set(taker[0], taker[1] - 1);
    return taker[0];
  };
}

/** Whole endpoints that zones with too many hand to zones with too few (getGivingAndReceivingZones). */
function exchange(
  allocations: ReadonlyMap<string, Allocation>,
  hinted: ReadonlyMap<string, number>,
): { readonly giving: Map<string, number>; readonly receiving: Map<string, number> } {
  const surplus = new Map<string, number>();
  const want = new Map<string, number>();
  for (const [zone, { desired }] of allocations) {
    const over = (hinted.get(zone) ?? 0) - desired;
    if (over > 0) surplus.set(zone, over);
    if (over < 0) want.set(zone, -over);
  }
  const giving = new Map<string, number>();
  const receiving = new Map<string, number>();
  for (;;) {
    const [giver, most] = largest(surplus);
    const [taker, least] = largest(want);
    if ((most < 1 && least < 1) || most < 0.5 || least < 0.5) return { giving, receiving };
    giving.set(giver, (giving.get(giver) ?? 0) + 1);
    surplus.set(giver, most - 1);
    receiving.set(taker, (receiving.get(taker) ?? 0) + 1);
    want.set(taker, least - 1);
  }
}

/** 0 where there is none. */
function largest(zones: ReadonlyMap<string, number>): readonly [zone: string, count: number] {
  let found: readonly [string, number] = ['', 0];
  for (const entry of zones) if (entry[1] > found[1]) found = entry;
  return found;
}

function byKey([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1;
}

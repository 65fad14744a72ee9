import type { Node } from '../../api/types/core.ts';

/** --unhealthy-zone-threshold. */
const UNHEALTHY_SHARE = 0.55;
/** Fewer silent nodes than this are no disruption of a zone, whatever their share. */
const FEWEST_SILENT = 3;
/** --large-cluster-size-threshold: zones this small stop evictions when disrupted, larger ones go on. */
const LARGE_ZONE = 50;

/**
 * Whether a lost node's pods may be evicted. `held`: not from more nodes than before, because too much of the zone
 * is silent. `withdrawn`: from none, because no node of the cluster answers: then it is rather us who are cut off.
 */
export type Evictions = 'allowed' | 'held' | 'withdrawn';

/** By zone (nodelifecycle: ComputeZoneState, handleDisruption), as of now. */
export function evictionsByZone(nodes: readonly Node[]): (node: Node) => Evictions {
  const zones = new Map<string, { ready: number; silent: number }>();
  for (const node of nodes) {
    const zone = zones.get(zoneOf(node)) ?? { ready: 0, silent: 0 };
    zones.set(zoneOf(node), zone);
    if (isReady(node)) zone.ready += 1;
    else zone.silent += 1;
  }
  if ([...zones.values()].every(({ ready }) => ready === 0)) return () => 'withdrawn';
  return (node) => {
    const { ready = 0, silent = 0 } = zones.get(zoneOf(node)) ?? {};
    const total = ready + silent;
    const disrupted = ready > 0 && silent >= FEWEST_SILENT && silent / total >= UNHEALTHY_SHARE;
    return disrupted && total <= LARGE_ZONE ? 'held' : 'allowed';
  };
}

function zoneOf({ metadata: { labels = {} } }: Node): string {
  const region = labels['topology.kubernetes.io/region'] ?? '';
  return `${region}\n${labels['topology.kubernetes.io/zone'] ?? ''}`;
}

function isReady({ status }: Node): boolean {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
}

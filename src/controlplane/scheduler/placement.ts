import type { Pod } from '../../api/types/core.ts';
import { controllerOf } from '../controllers/pod-facts.ts';
import { type NamespaceLabels, podAffinityView, type PodAffinityView } from './pod-affinity.ts';
import {
  matchesTerm,
  type NodeInfo,
  podRequests,
  refusal,
  type Refusal,
  spreadCounts,
  untoleratedTaint,
} from './predicates.ts';
import { quantityValue } from '../../api/quantity.ts';

export type Placement =
  | { readonly kind: 'node'; readonly name: string }
  /** `message` is what the pod's FailedScheduling event says. */
  | { readonly kind: 'none'; readonly message: string };

/**
 * Where a pod goes, as of now. Among the nodes that will do: preferences first, then the one with the fewest
 * pods of the same controller, then the one with the fewest pods, then the emptiest, then by name. Unlike the
 * real scheduler it never draws lots, so that a cluster comes up the same way every time.
 */
export function placePod(
  pod: Pod,
  nodes: readonly NodeInfo[],
  namespaceLabels: NamespaceLabels,
): Placement {
  if (nodes.length === 0) return { kind: 'none', message: 'no nodes available to schedule pods' };
  const affinity = podAffinityView(pod, nodes, namespaceLabels);
  const refusals: Refusal[] = [];
  const possible: NodeInfo[] = [];
  for (const info of nodes) {
    const refused = refusal(pod, info, nodes, affinity);
    if (refused === undefined) possible.push(info);
    else refusals.push(refused);
  }
  if (possible.length === 0)
    return { kind: 'none', message: describeRefusals(refusals, nodes.length) };
  const ranked = possible
    .map((info) => ({ info, scores: scoresOf(pod, info, possible, affinity) }))
    .toSorted((a, b) => compareScores(a.scores, b.scores) || byName(a.info, b.info));
  return { kind: 'node', name: ranked[0]?.info.node.metadata.name ?? '' };
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: …`. */
function describeRefusals(refusals: readonly Refusal[], total: number): string {
  const reasons = countTexts(refusals.map(({ reason }) => reason));
  const preemption = countTexts(
    refusals.map(({ preemptable }) =>
      preemptable
        ? 'No preemption victims found for incoming pod'
        : 'Preemption is not helpful for scheduling',
    ),
  );
  return `0/${total} nodes are available: ${reasons}. preemption: 0/${total} nodes are available: ${preemption}.`;
}

function countTexts(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts]
    .map(([text, count]) => `${count} ${text}`)
    .toSorted()
    .join(', ');
}

/** Smaller is better, the first that differs decides. */
function scoresOf(
  pod: Pod,
  info: NodeInfo,
  nodes: readonly NodeInfo[],
  affinity: PodAffinityView,
): readonly number[] {
  const owner = controllerOf(pod)?.uid;
  const siblings = info.pods.filter(
    (other) => owner !== undefined && controllerOf(other)?.uid === owner,
  ).length;
  const avoid =
    untoleratedTaint(pod.spec.tolerations, info.node.spec.taints, ['PreferNoSchedule']) ===
    undefined
      ? 0
      : 1;
  return [
    avoid,
    -nodeAffinityScore(pod, info),
    softSpreadScore(pod, info, nodes),
    -affinity.score(info.node),
    siblings,
    info.pods.length,
    usedCpuShare(info),
  ];
}

function nodeAffinityScore(pod: Pod, info: NodeInfo): number {
  const preferred =
    pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return preferred.reduce(
    (sum, { weight, preference }) => sum + (matchesTerm(preference, info.node) ? weight : 0),
    0,
  );
}

function softSpreadScore(pod: Pod, info: NodeInfo, nodes: readonly NodeInfo[]): number {
  return (pod.spec.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway')
    .reduce((sum, { topologyKey, labelSelector }) => {
      const counts = spreadCounts(pod, topologyKey, labelSelector, nodes);
      const domain = info.node.metadata.labels?.[topologyKey];
      // A node without the label is the last choice.
      return sum + (domain === undefined ? Number.MAX_SAFE_INTEGER : (counts.get(domain) ?? 0));
    }, 0);
}

function usedCpuShare(info: NodeInfo): number {
  const total = quantityValue(info.node.status?.allocatable?.['cpu'] ?? '0');
  if (total === 0) return 0;
  const used = info.pods.reduce((sum, pod) => sum + (podRequests(pod).get('cpu') ?? 0), 0);
  return used / total;
}

function compareScores(a: readonly number[], b: readonly number[]): number {
  for (const [index, score] of a.entries()) {
    const difference = score - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function byName(a: NodeInfo, b: NodeInfo): number {
  return (a.node.metadata.name ?? '') < (b.node.metadata.name ?? '') ? -1 : 1;
}

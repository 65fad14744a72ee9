import { matchesLabels, selectorRequirements } from '../../api/label-selector.ts';
import type { Node, Pod, PodAffinityRules, PodAffinityTerm } from '../../api/types/core.ts';
import type { NodeInfo } from './predicates.ts';

/** The labels of a namespace, for terms that select namespaces by them. */
export type NamespaceLabels = (name: string) => Readonly<Record<string, string>> | undefined;

/** What affinity between pods says about one node. */
export type AffinityVerdict =
  | 'fits'
  | 'no affinity'
  | 'anti-affinity'
  | "existing pods' anti-affinity";

export interface PodAffinityView {
  verdict(node: Node): AffinityVerdict;
  /** Preferences of the pod, and of those that are there, for and against the node; more is better. */
  score(node: Node): number;
}

/** HardPodAffinityWeight: how much a pod that requires this one's company draws it, by default. */
const REQUIRED_AFFINITY_WEIGHT = 1;

const INDIFFERENT: PodAffinityView = { verdict: () => 'fits', score: () => 0 };

/**
 * The plugin InterPodAffinity (pkg/scheduler/framework/plugins/interpodaffinity): counts once, by topology
 * domain, the pods that matter to this one, so that each node is then a few look-ups.
 */
export function podAffinityView(
  pod: Pod,
  nodes: readonly NodeInfo[],
  namespaceLabels: NamespaceLabels,
): PodAffinityView {
  if (pod.spec.affinity === undefined && !nodes.some(hasAffinePods)) return INDIFFERENT;
  const terms = termsOf(pod, namespaceLabels);
  const wanted = new DomainCounts();
  const avoided = new DomainCounts();
  const closed = new DomainCounts();
  const preferred = new DomainCounts();
  for (const { node, pods } of nodes)
    for (const other of pods) {
      // A pod is company only if it is what every term asks for.
      if (terms.affinity.length > 0 && terms.affinity.every((term) => term.matches(other)))
        for (const { topologyKey } of terms.affinity) wanted.add(node, topologyKey, 1);
      for (const term of terms.antiAffinity)
        if (term.matches(other)) avoided.add(node, term.topologyKey, 1);
      for (const { term, weight } of terms.preferences)
        if (term.matches(other)) preferred.add(node, term.topologyKey, weight);
      if (other.spec.affinity === undefined) continue;
      const theirs = termsOf(other, namespaceLabels);
      for (const term of theirs.antiAffinity)
        if (term.matches(pod)) closed.add(node, term.topologyKey, 1);
      for (const term of theirs.affinity)
        if (term.matches(pod)) preferred.add(node, term.topologyKey, REQUIRED_AFFINITY_WEIGHT);
      for (const { term, weight } of theirs.preferences)
        if (term.matches(pod)) preferred.add(node, term.topologyKey, weight);
    }
  // The first of a group that wants each other's company finds none anywhere and may go anywhere.
  const isFirst = wanted.isEmpty && terms.affinity.every((term) => term.matches(pod));
  return {
    verdict(node) {
      for (const { topologyKey } of terms.affinity)
        if (domainOf(node, topologyKey) === undefined) return 'no affinity';
      if (!isFirst && terms.affinity.some((term) => wanted.at(node, term.topologyKey) === 0))
        return 'no affinity';
      if (terms.antiAffinity.some((term) => avoided.at(node, term.topologyKey) > 0))
        return 'anti-affinity';
      return closed.total(node) > 0 ? "existing pods' anti-affinity" : 'fits';
    },
    score: (node) => preferred.total(node),
  };
}

function hasAffinePods({ pods }: NodeInfo): boolean {
  return pods.some(
    ({ spec }) =>
      spec.affinity?.podAffinity !== undefined || spec.affinity?.podAntiAffinity !== undefined,
  );
}

/** Sums by topology key and domain: `zone=east` → 3. */
class DomainCounts {
  readonly #byKey = new Map<string, Map<string, number>>();

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  /** Nodes without the label belong to no domain. */
  add(node: Node, topologyKey: string, amount: number): void {
    const domain = domainOf(node, topologyKey);
    if (domain === undefined) return;
    const counts = this.#byKey.get(topologyKey) ?? new Map<string, number>();
    counts.set(domain, (counts.get(domain) ?? 0) + amount);
    this.#byKey.set(topologyKey, counts);
  }

  at(node: Node, topologyKey: string): number {
    const domain = domainOf(node, topologyKey);
    return domain === undefined ? 0 : (this.#byKey.get(topologyKey)?.get(domain) ?? 0);
  }

  /** Over all topology keys. */
  total(node: Node): number {
    let sum = 0;
    for (const topologyKey of this.#byKey.keys()) sum += this.at(node, topologyKey);
    return sum;
  }
}

function domainOf(node: Node, topologyKey: string): string | undefined {
  return node.metadata.labels?.[topologyKey];
}

interface Term {
  readonly topologyKey: string;
  matches(other: Pod): boolean;
}

interface Terms {
  readonly affinity: readonly Term[];
  readonly antiAffinity: readonly Term[];
  /** What a pod would rather avoid has a negative weight. */
  readonly preferences: readonly { readonly term: Term; readonly weight: number }[];
}

function termsOf(owner: Pod, namespaceLabels: NamespaceLabels): Terms {
  const { podAffinity, podAntiAffinity } = owner.spec.affinity ?? {};
  const read = (term: PodAffinityTerm): Term => termOf(owner, term, namespaceLabels);
  const preferences = (rules: PodAffinityRules | undefined, sign: 1 | -1) =>
    (rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ weight, podAffinityTerm }) => ({ term: read(podAffinityTerm), weight: sign * weight }),
    );
  return {
    affinity: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(read),
    antiAffinity: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(read),
    preferences: [...preferences(podAffinity, 1), ...preferences(podAntiAffinity, -1)],
  };
}

/** A term with its namespaces and label keys (KEP-3633) resolved against the pod that has it. */
function termOf(owner: Pod, term: PodAffinityTerm, namespaceLabels: NamespaceLabels): Term {
  const { namespaces = [], namespaceSelector, matchLabelKeys = [], mismatchLabelKeys = [] } = term;
  const own = selectorRequirements(term.labelSelector);
  const labels = owner.metadata.labels ?? {};
  const keyed = (keys: readonly string[], operator: 'In' | 'NotIn') =>
    keys.flatMap((key) => {
      const value = labels[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  const requirements =
    own === undefined
      ? undefined
      : [...own, ...keyed(matchLabelKeys, 'In'), ...keyed(mismatchLabelKeys, 'NotIn')];
  const named =
    namespaces.length === 0 && namespaceSelector === undefined
      ? [owner.metadata.namespace ?? '']
      : namespaces;
  const selected = selectorRequirements(namespaceSelector);
  return {
    topologyKey: term.topologyKey,
    matches: ({ metadata }) =>
      requirements !== undefined &&
      matchesLabels(requirements, metadata.labels) &&
      (named.includes(metadata.namespace ?? '') ||
        (selected !== undefined &&
          matchesLabels(selected, namespaceLabels(metadata.namespace ?? '') ?? {}))),
  };
}

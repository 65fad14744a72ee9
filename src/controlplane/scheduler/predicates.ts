import { matchesLabels, matchesSelector, selectorRequirements } from '../../api/label-selector.ts';
import { quantityValue } from '../../api/quantity.ts';
import type {
  Container,
  Node,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Pod,
  Taint,
  Toleration,
} from '../../api/types/core.ts';
import type { PodAffinityView } from './pod-affinity.ts';

/** A node and the pods it has or is about to have. */
export interface NodeInfo {
  readonly node: Node;
  readonly pods: readonly Pod[];
}

/** Why a pod cannot go to a node, in the scheduler's words. */
export interface Refusal {
  readonly reason: string;
  /** Removing other pods could help. */
  readonly preemptable: boolean;
}

const UNSCHEDULABLE_TAINT: Taint = {
  key: 'node.kubernetes.io/unschedulable',
  effect: 'NoSchedule',
};
const DEFAULT_MAX_PODS = 110;

/** The filter plugins of the default scheduler, in its order; undefined: the node will do. */
export function refusal(
  pod: Pod,
  info: NodeInfo,
  nodes: readonly NodeInfo[],
  affinity: PodAffinityView,
): Refusal | undefined {
  const fixed = fixedRefusal(pod, info.node);
  if (fixed !== undefined) return hopeless(fixed);
  return (
    portRefusal(pod, info) ??
    resourceRefusal(pod, info) ??
    spreadRefusal(pod, info, nodes) ??
    affinityRefusal(info.node, affinity)
  );
}

/** No other pod's leaving would change it: UnschedulableAndUnresolvable. */
function hopeless(reason: string): Refusal {
  return { reason, preemptable: false };
}

function crowdedOut(reason: string): Refusal {
  return { reason, preemptable: true };
}

/** What no other pod's leaving could change. */
function fixedRefusal(pod: Pod, node: Node): string | undefined {
  if (node.spec.unschedulable === true && !tolerates(pod.spec.tolerations, UNSCHEDULABLE_TAINT))
    return 'node(s) were unschedulable';
  if ((pod.spec.nodeName ?? '') !== '' && pod.spec.nodeName !== node.metadata.name)
    return "node(s) didn't match the requested node name";
  const taint = untoleratedTaint(pod.spec.tolerations, node.spec.taints, [
    'NoSchedule',
    'NoExecute',
  ]);
  if (taint !== undefined)
    return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
  if (!matchesNodeSelection(pod, node)) return "node(s) didn't match Pod's node affinity/selector";
  return undefined;
}

/** The first taint of these effects that no toleration covers. */
export function untoleratedTaint(
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[] | undefined,
  effects: readonly Taint['effect'][],
): Taint | undefined {
  return taints?.find((taint) => effects.includes(taint.effect) && !tolerates(tolerations, taint));
}

function tolerates(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return tolerations?.some((toleration) => toleratesTaint(toleration, taint)) ?? false;
}

export function toleratesTaint(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = 'Equal', value = '', effect } = toleration;
  if (effect !== undefined && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  return operator === 'Exists' || (key !== '' && value === (taint.value ?? ''));
}

/** nodeSelector and required node affinity, as DaemonSets use them too. */
export function matchesNodeSelection(pod: Pick<Pod, 'spec'>, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {}))
    if (labels[key] !== value) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return true;
  return (required.nodeSelectorTerms ?? []).some((term) => matchesTerm(term, node));
}

export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) =>
      matchesRequirement(requirement, node.metadata.labels?.[requirement.key]),
    ) && matchFields.every((requirement) => matchesRequirement(requirement, node.metadata.name))
  );
}

function matchesRequirement(
  { operator, values = [] }: NodeSelectorRequirement,
  value: string | undefined,
): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
  }
}

function portRefusal(pod: Pod, info: NodeInfo): Refusal | undefined {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return undefined;
  const taken = info.pods.flatMap(hostPorts);
  const clash = wanted.some((port) =>
    taken.some(
      (other) =>
        other.port === port.port &&
        other.protocol === port.protocol &&
        (other.ip === port.ip || other.ip === '' || port.ip === ''),
    ),
  );
  return clash
    ? crowdedOut("node(s) didn't have free ports for the requested pod ports")
    : undefined;
}

function hostPorts(pod: Pod): { port: number; protocol: string; ip: string }[] {
  return pod.spec.containers
    .flatMap((container) => container.ports ?? [])
    .filter((port) => (port.hostPort ?? 0) !== 0)
    .map((port) => ({
      port: port.hostPort ?? 0,
      protocol: port.protocol ?? 'TCP',
      ip: port.hostIP === '0.0.0.0' ? '' : (port.hostIP ?? ''),
    }));
}

function resourceRefusal(pod: Pod, info: NodeInfo): Refusal | undefined {
  const allocatable = info.node.status?.allocatable ?? {};
  const maxPods =
    allocatable['pods'] === undefined ? DEFAULT_MAX_PODS : quantityValue(allocatable['pods']);
  if (info.pods.length + 1 > maxPods) return crowdedOut('Too many pods');
  for (const [name, wanted] of podRequests(pod)) {
    if (wanted === 0) continue;
    const used = info.pods.reduce((sum, other) => sum + (podRequests(other).get(name) ?? 0), 0);
    const size = quantityValue(allocatable[name] ?? '0');
    if (wanted > size) return hopeless(`Insufficient ${name}`);
    if (used + wanted > size) return crowdedOut(`Insufficient ${name}`);
  }
  return undefined;
}

/** The larger of all containers together and any one init container, as the kubelet runs them. */
export function podRequests(pod: Pod): ReadonlyMap<string, number> {
  const total = new Map<string, number>();
  for (const container of pod.spec.containers)
    for (const [name, value] of requestsOf(container))
      total.set(name, (total.get(name) ?? 0) + value);
  for (const container of pod.spec.initContainers ?? [])
    for (const [name, value] of requestsOf(container))
      total.set(
        name,
        container.restartPolicy === 'Always'
          ? (total.get(name) ?? 0) + value
          : Math.max(total.get(name) ?? 0, value),
      );
  return total;
}

function requestsOf(container: Container): [string, number][] {
  return Object.entries(container.resources?.requests ?? {}).map(([name, quantity]) => [
    name,
    quantityValue(quantity),
  ]);
}

function spreadRefusal(pod: Pod, info: NodeInfo, nodes: readonly NodeInfo[]): Refusal | undefined {
  for (const constraint of pod.spec.topologySpreadConstraints ?? []) {
    if (constraint.whenUnsatisfiable !== 'DoNotSchedule') continue;
    const domain = info.node.metadata.labels?.[constraint.topologyKey];
    if (domain === undefined)
      return hopeless(
        "node(s) didn't match pod topology spread constraints (missing required label)",
      );
    const counts = spreadCounts(pod, constraint.topologyKey, constraint.labelSelector, nodes);
    const fewest = counts.size < (constraint.minDomains ?? 0) ? 0 : Math.min(...counts.values());
    // A pod that its own selector does not take adds nothing to the skew.
    const own = matchesSelector(constraint.labelSelector, pod.metadata.labels) ? 1 : 0;
    if ((counts.get(domain) ?? 0) + own - fewest > constraint.maxSkew)
      return crowdedOut("node(s) didn't match pod topology spread constraints");
  }
  return undefined;
}

/** Matching pods by topology domain, over the nodes the pod could use. */
export function spreadCounts(
  pod: Pod,
  topologyKey: string,
  selector: Parameters<typeof selectorRequirements>[0],
  nodes: readonly NodeInfo[],
): Map<string, number> {
  const requirements = selectorRequirements(selector);
  const counts = new Map<string, number>();
  for (const { node, pods } of nodes) {
    const domain = node.metadata.labels?.[topologyKey];
    if (domain === undefined || !matchesNodeSelection(pod, node)) continue;
    const matching =
      requirements === undefined
        ? 0
        : pods.filter(
            (other) =>
              other.metadata.namespace === pod.metadata.namespace &&
              other.metadata.deletionTimestamp === undefined &&
              matchesLabels(requirements, other.metadata.labels),
          ).length;
    counts.set(domain, (counts.get(domain) ?? 0) + matching);
  }
  return counts;
}

/** InterPodAffinity's reasons. */
function affinityRefusal(node: Node, affinity: PodAffinityView): Refusal | undefined {
  switch (affinity.verdict(node)) {
    case 'fits':
      return undefined;
    case 'no affinity':
      return hopeless("node(s) didn't match pod affinity rules");
    case 'anti-affinity':
      return crowdedOut("node(s) didn't match pod anti-affinity rules");
    case "existing pods' anti-affinity":
      return crowdedOut("node(s) didn't satisfy existing pods anti-affinity rules");
  }
}

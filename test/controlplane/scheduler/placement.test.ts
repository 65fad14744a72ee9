import { expect, test } from 'vitest';
import type {
  Node,
  NodeSelectorRequirement,
  Pod,
  PodAffinityTerm,
  PodSpec,
} from '../../../src/api/types/core.ts';
import { placePod } from '../../../src/controlplane/scheduler/placement.ts';
import type { NodeInfo } from '../../../src/controlplane/scheduler/predicates.ts';
import { testNode } from '../support.ts';

const ZONE = 'topology.kubernetes.io/zone';
const HELPLESS = 'Preemption is not helpful for scheduling.';
const NO_VICTIMS = 'No preemption victims found for incoming pod.';

function pod(spec: Partial<PodSpec> = {}, labels: Record<string, string> = { app: 'web' }): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', labels },
    spec: { containers: [{ name: 'c', image: 'nginx' }], ...spec },
  };
}

/** 4 CPUs, 8 GiB and 110 pods. */
function node(name: string, spec: Partial<Node['spec']> = {}, labels = {}): Node {
  const made = testNode(name, spec);
  return { ...made, metadata: { name, labels: { ...made.metadata.labels, ...labels } } };
}

function asks(requests: Record<string, string>): Partial<PodSpec> {
  return { containers: [{ name: 'c', image: 'nginx', resources: { requests } }] };
}

function takesPort(hostPort: number, hostIP?: string): Partial<PodSpec> {
  const port = { containerPort: 80, hostPort, ...(hostIP === undefined ? {} : { hostIP }) };
  return { containers: [{ name: 'c', image: 'nginx', ports: [port] }] };
}

function requires(
  key: string,
  operator: NodeSelectorRequirement['operator'],
  values: string[],
): Partial<PodSpec> {
  return {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key, operator, values }] }],
        },
      },
    },
  };
}

const SPREAD: Partial<PodSpec> = {
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: ZONE,
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'web' } },
    },
  ],
};

const LABELS: Readonly<Record<string, Record<string, string>>> = { shop: { team: 'sales' } };

function labelsOf(namespace: string): Record<string, string> | undefined {
  return LABELS[namespace];
}

const WEB: PodAffinityTerm = {
  topologyKey: ZONE,
  labelSelector: { matchLabels: { app: 'web' } },
};

/** Company that the pod requires. */
function near(...terms: PodAffinityTerm[]): Partial<PodSpec> {
  return {
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  };
}

function awayFrom(...terms: PodAffinityTerm[]): Partial<PodSpec> {
  return {
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  };
}

/** As many of its like as preferred to be near, or far where the weight is negative. */
function rather(weight: number, term: PodAffinityTerm = WEB): Partial<PodSpec> {
  const preferredDuringSchedulingIgnoredDuringExecution = [
    { weight: Math.abs(weight), podAffinityTerm: term },
  ];
  const rules = { preferredDuringSchedulingIgnoredDuringExecution };
  return { affinity: weight > 0 ? { podAffinity: rules } : { podAntiAffinity: rules } };
}

function inNamespace(namespace: string, one: Pod): Pod {
  return { ...one, metadata: { ...one.metadata, namespace } };
}

const ALONE = awayFrom({ ...WEB, topologyKey: 'kubernetes.io/hostname' });

const east = { [ZONE]: 'east' };
const west = { [ZONE]: 'west' };

/** `[node, pods already there]`. */
function infos(...list: (readonly [Node, ...Pod[]])[]): NodeInfo[] {
  return list.map(([one, ...pods]) => ({ node: one, pods }));
}

test.each<[string, Pod, NodeInfo[], string]>([
  ['the emptier node', pod(), infos([node('a'), pod()], [node('b')]), 'b'],
  ['the first by name among equals', pod(), infos([node('b')], [node('a')]), 'a'],
  [
    'a label that is asked for',
    pod({ nodeSelector: { disk: 'ssd' } }),
    infos([node('a')], [node('b', {}, { disk: 'ssd' })]),
    'b',
  ],
  ['In', pod(requires('tier', 'In', ['x', 'y'])), infos([node('a', {}, { tier: 'y' })]), 'a'],
  [
    'NotIn',
    pod(requires('tier', 'NotIn', ['x'])),
    infos([node('a', {}, { tier: 'x' })], [node('b')]),
    'b',
  ],
  [
    'Gt',
    pod(requires('cores', 'Gt', ['4'])),
    infos([node('a', {}, { cores: '4' })], [node('b', {}, { cores: '16' })]),
    'b',
  ],
  [
    'a taint that is tolerated',
    pod({ tolerations: [{ key: 'dedicated', operator: 'Exists' }] }),
    infos([node('a', { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] })]),
    'a',
  ],
  [
    'a taint that only prefers, when there is nothing else',
    pod(),
    infos([node('a', { taints: [{ key: 'slow', effect: 'PreferNoSchedule' }] })]),
    'a',
  ],
  [
    'the same port on another address',
    pod(takesPort(80, '192.0.2.1')),
    infos([node('a'), pod(takesPort(80, '192.0.2.2'))]),
    'a',
  ],
  [
    'exactly what is left',
    pod(asks({ cpu: '3' })),
    infos([node('a'), pod(asks({ cpu: '1' }))]),
    'a',
  ],
  [
    'the zone with fewer',
    pod(SPREAD),
    infos([node('a', {}, east), pod()], [node('b', {}, west), pod({}, { app: 'other' })]),
    'b',
  ],
  [
    'any zone for a pod that does not count itself',
    pod(SPREAD, { app: 'other' }),
    infos([node('a', {}, east), pod()], [node('b', {}, west), pod({}, {}), pod({}, {})]),
    'a',
  ],
  ['a node without its like', pod(ALONE), infos([node('a'), pod()], [node('b')]), 'b'],
  [
    'any node of the zone with the company it requires',
    pod(near(WEB), { app: 'cache' }),
    infos([node('a', {}, east)], [node('b', {}, west)], [node('c', {}, west), pod()]),
    'b',
  ],
  [
    'anywhere, as the first of those who require each other',
    pod(near(WEB)),
    infos([node('a', {}, east), pod({}, { app: 'other' })], [node('b', {}, west)]),
    'b',
  ],
  [
    'the namespaces that a term names',
    pod(near({ ...WEB, namespaces: ['shop'] }), { app: 'cache' }),
    infos([node('a', {}, east), pod()], [node('b', {}, west), inNamespace('shop', pod())]),
    'b',
  ],
  [
    'the namespaces that a term selects',
    pod(near({ ...WEB, namespaceSelector: { matchLabels: { team: 'sales' } } }), { app: 'cache' }),
    infos([node('a', {}, east), pod()], [node('b', {}, west), inNamespace('shop', pod())]),
    'b',
  ],
  [
    'its own generation only, by a label key',
    pod(near({ ...WEB, matchLabelKeys: ['hash'] }), { app: 'web', hash: '2' }),
    infos(
      [node('a', {}, east), pod({}, { app: 'web', hash: '1' })],
      [node('b', {}, west), pod({}, { app: 'web', hash: '2' })],
    ),
    'b',
  ],
  [
    'the company it would rather have',
    pod(rather(10), { app: 'cache' }),
    infos([node('a', {}, east)], [node('b', {}, west), pod()]),
    'b',
  ],
  [
    'away from the company it would rather not have',
    pod(rather(-10), { app: 'cache' }),
    infos([node('a', {}, east)], [node('b', {}, east), pod()], [node('c', {}, west), pod({}, {})]),
    'c',
  ],
  [
    'where it is wanted',
    pod(),
    infos([node('a', {}, east)], [node('b', {}, west), pod(rather(5), { app: 'cache' })]),
    'b',
  ],
  [
    'away from where it is not wanted',
    pod(),
    infos([node('a', {}, east), pod(rather(-5), {})], [node('b', {}, west), pod(), pod()]),
    'b',
  ],
])('goes to %s', (_, wanted, nodes, name) => {
  expect(placePod(wanted, nodes, labelsOf)).toEqual({ kind: 'node', name });
});

test.each<[string, Pod, NodeInfo[], string]>([
  [
    'a selector nobody matches',
    pod({ nodeSelector: { disk: 'ssd' } }),
    infos([node('a')], [node('b')]),
    `0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/2 nodes are available: 2 ${HELPLESS}`,
  ],
  [
    'an affinity nobody matches',
    pod(requires('tier', 'Exists', [])),
    infos([node('a')]),
    `0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 ${HELPLESS}`,
  ],
  [
    'taints and a cordon',
    pod(),
    infos(
      [node('a', { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] })],
      [node('b', { taints: [{ key: 'gone', effect: 'NoExecute' }] })],
      [node('c', { unschedulable: true })],
    ),
    `0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, 1 node(s) had untolerated taint {gone: }, 1 node(s) were unschedulable. preemption: 0/3 nodes are available: 3 ${HELPLESS}`,
  ],
  [
    'more than a node has, and more than is left',
    pod(asks({ cpu: '4', memory: '1Gi' })),
    infos(
      [{ ...node('a'), status: { allocatable: { cpu: '2', memory: '8Gi' } } }],
      [node('b'), pod(asks({ cpu: '1' }))],
    ),
    '0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
  ],
  [
    'too many pods',
    pod(),
    infos([{ ...node('a'), status: { allocatable: { pods: '1' } } }, pod()]),
    `0/1 nodes are available: 1 Too many pods. preemption: 0/1 nodes are available: 1 ${NO_VICTIMS}`,
  ],
  [
    'a host port that is taken',
    pod(takesPort(80)),
    infos([node('a'), pod(takesPort(80, '192.0.2.1'))]),
    `0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports. preemption: 0/1 nodes are available: 1 ${NO_VICTIMS}`,
  ],
  [
    'a spread that would be uneven, and a node without the label',
    pod({ ...SPREAD, nodeSelector: { pool: 'x' } }),
    infos(
      [node('a', {}, { ...east, pool: 'x' }), pod()],
      [node('b', { unschedulable: true }, { ...west, pool: 'x' })],
      [node('c', {}, { pool: 'x' })],
    ),
    "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) didn't match pod topology spread constraints (missing required label), 1 node(s) were unschedulable. preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.",
  ],
  [
    'its like everywhere',
    pod(ALONE),
    infos([node('a'), pod()]),
    `0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. preemption: 0/1 nodes are available: 1 ${NO_VICTIMS}`,
  ],
  [
    'the company it requires is not there, or only where the node has no such label',
    pod(near(WEB), { app: 'cache' }),
    infos([node('a', {}, east)], [node('b'), pod()]),
    `0/2 nodes are available: 2 node(s) didn't match pod affinity rules. preemption: 0/2 nodes are available: 2 ${HELPLESS}`,
  ],
  [
    'nobody is everything that it requires at once',
    pod(near(WEB, { ...WEB, labelSelector: { matchLabels: { tier: 'x' } } }), { app: 'cache' }),
    infos([node('a', {}, east), pod(), pod({}, { tier: 'x' })]),
    `0/1 nodes are available: 1 node(s) didn't match pod affinity rules. preemption: 0/1 nodes are available: 1 ${HELPLESS}`,
  ],
  [
    'those that are there do not want it in their zone',
    pod(),
    infos([node('a', {}, east), pod(awayFrom(WEB), {})], [node('b', {}, east)]),
    `0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules. preemption: 0/2 nodes are available: 2 ${NO_VICTIMS}`,
  ],
  ['no nodes at all', pod(), [], 'no nodes available to schedule pods'],
])('finds no place: %s', (_, wanted, nodes, message) => {
  expect(placePod(wanted, nodes, labelsOf)).toEqual({ kind: 'none', message });
});

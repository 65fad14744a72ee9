import { expect, test } from 'vitest';
import type { Node, NodeSelectorRequirement, Pod, PodSpec } from '../../../src/api/types/core.ts';
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

const ALONE: Partial<PodSpec> = {
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        {
          topologyKey: 'kubernetes.io/hostname',
          labelSelector: { matchLabels: { app: 'web' } },
        },
      ],
    },
  },
};

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
])('goes to %s', (_, wanted, nodes, name) => {
  expect(placePod(wanted, nodes)).toEqual({ kind: 'node', name });
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
  ['no nodes at all', pod(), [], 'no nodes available to schedule pods'],
])('finds no place: %s', (_, wanted, nodes, message) => {
  expect(placePod(wanted, nodes)).toEqual({ kind: 'none', message });
});

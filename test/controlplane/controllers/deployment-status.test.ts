import { describe, expect, test } from 'vitest';
import type { Deployment, ReplicaSet } from '../../../src/api/types/apps.ts';
import {
  MAX_ANNOTATION,
  scaleProportionally,
} from '../../../src/controlplane/controllers/deployment-scaling.ts';
import { deploymentStatus } from '../../../src/controlplane/controllers/deployment-status.ts';

const DEADLINE_MS = 600_000;
const LABELS = { app: 'web' };
const TEMPLATE = {
  metadata: { labels: LABELS },
  spec: { containers: [{ name: 'c', image: 'nginx' }] },
};

function deployment(spec: Partial<Deployment['spec']> = {}, status: Deployment['status'] = {}) {
  const made: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', generation: 1 },
    spec: {
      replicas: 3,
      selector: { matchLabels: LABELS },
      template: TEMPLATE,
      progressDeadlineSeconds: DEADLINE_MS / 1000,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
      ...spec,
    },
    status,
  };
  return made;
}

/** A set with so many pods, of which so many are available. */
function replicaSet(name: string, replicas: number, available = replicas, max?: number) {
  const made: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      creationTimestamp: '2026-01-01T00:00:00Z',
      annotations: max === undefined ? {} : { [MAX_ANNOTATION]: String(max) },
    },
    spec: { replicas, selector: { matchLabels: LABELS }, template: TEMPLATE },
    status: { replicas, readyReplicas: available, availableReplicas: available },
  };
  return made;
}

interface Moment {
  readonly sets: readonly ReplicaSet[];
  readonly spec?: Partial<Deployment['spec']>;
  /** The last of the sets has just been made. */
  readonly isCreated?: boolean;
  readonly atMs?: number;
}

/** The reasons of the condition Progressing, moment by moment; the last set is the current template's. */
function reasons(moments: readonly Moment[]): (string | undefined)[] {
  let status: Deployment['status'] = {};
  return moments.map(({ sets, spec, isCreated = false, atMs = 0 }) => {
    const set = sets.at(-1);
    const newSet = set === undefined ? undefined : { set, isCreated };
    status = deploymentStatus(deployment(spec, status), newSet, sets, atMs);
    return status.conditions?.find(({ type }) => type === 'Progressing')?.reason;
  });
}

const DONE: Moment[] = [
  { sets: [replicaSet('v1', 0)], isCreated: true },
  { sets: [replicaSet('v1', 3)] },
];

describe('how a rollout is told', () => {
  test.each<[string, Moment[], string[]]>([
    [
      'the first, and the next',
      [
        { sets: [replicaSet('v1', 0)], isCreated: true },
        { sets: [replicaSet('v1', 3, 1)] },
        { sets: [replicaSet('v1', 3)] },
        { sets: [replicaSet('v1', 3), replicaSet('v2', 0)], isCreated: true },
        { sets: [replicaSet('v1', 2), replicaSet('v2', 1)] },
        { sets: [replicaSet('v1', 0), replicaSet('v2', 3)] },
      ],
      [
        'NewReplicaSetCreated',
        'ReplicaSetUpdated',
        'NewReplicaSetAvailable',
        'NewReplicaSetCreated',
        'ReplicaSetUpdated',
        'NewReplicaSetAvailable',
      ],
    ],
    [
      'a change of the size is no rollout, however long its pods take',
      [
        ...DONE,
        { sets: [replicaSet('v1', 5, 3)], spec: { replicas: 5 } },
        { sets: [replicaSet('v1', 5, 4)], spec: { replicas: 5 }, atMs: 2 * DEADLINE_MS },
      ],
      [
        'NewReplicaSetCreated',
        'NewReplicaSetAvailable',
        'NewReplicaSetAvailable',
        'NewReplicaSetAvailable',
      ],
    ],
    [
      'a rollout that stops is overdue, which a pause does not hide',
      [
        ...DONE,
        { sets: [replicaSet('v1', 3), replicaSet('v2', 1, 0)], isCreated: true },
        { sets: [replicaSet('v1', 3), replicaSet('v2', 1, 0)], atMs: DEADLINE_MS },
        {
          sets: [replicaSet('v1', 3), replicaSet('v2', 1, 0)],
          spec: { paused: true },
          atMs: 2 * DEADLINE_MS,
        },
      ],
      [
        'NewReplicaSetCreated',
        'NewReplicaSetAvailable',
        'NewReplicaSetCreated',
        'ProgressDeadlineExceeded',
        'ProgressDeadlineExceeded',
      ],
    ],
    [
      'paused and resumed',
      [
        ...DONE,
        { sets: [replicaSet('v1', 3)], spec: { paused: true } },
        { sets: [replicaSet('v1', 3)] },
        { sets: [replicaSet('v1', 3)] },
      ],
      [
        'NewReplicaSetCreated',
        'NewReplicaSetAvailable',
        'DeploymentPaused',
        'DeploymentResumed',
        'NewReplicaSetAvailable',
      ],
    ],
    [
      'a set that was there before anybody asked for progress',
      [
        { sets: [replicaSet('v1', 3, 0)], spec: { progressDeadlineSeconds: 2_147_483_647 } },
        {
          sets: [replicaSet('v1', 3, 0)],
        },
      ],
      [undefined, 'FoundNewReplicaSet'] as string[],
    ],
  ])('%s', (_, moments, expected) => {
    expect(reasons(moments)).toEqual(expected);
  });
});

describe('a change of the size in the middle of a rollout', () => {
  test.each<[string, number, [old: ReplicaSet, current: ReplicaSet], number[]]>([
    // docs/concepts/workloads/controllers/deployment: the example of proportional scaling.
    ['up', 15, [replicaSet('v1', 8, 8, 13), replicaSet('v2', 5, 0, 13)], [11, 7]],
    ['down', 5, [replicaSet('v1', 8, 8, 13), replicaSet('v2', 5, 0, 13)], [5, 3]],
    ['to nothing', 0, [replicaSet('v1', 8, 8, 13), replicaSet('v2', 5, 0, 13)], [0, 0]],
    // Fewer pods than were allowed: each set's share is of what was allowed, the rest goes to the largest.
    [
      'while some are missing',
      20,
      [replicaSet('v1', 6, 6, 13), replicaSet('v2', 4, 0, 13)],
      [16, 7],
    ],
    ['of sets of one size: to the newer first', 11, [older(5), replicaSet('v2', 5, 5, 13)], [5, 9]],
  ])('%s', (_, replicas, sets, sizes) => {
    const steps = scaleProportionally(deployment({ replicas }, { replicas: 13 }), sets);
    expect(
      sets.map((set) => steps.find((step) => step.set === set)?.replicas ?? set.spec.replicas),
    ).toEqual(sizes);
  });
});

function older(replicas: number): ReplicaSet {
  const set = replicaSet('v1', replicas, replicas, 13);
  return { ...set, metadata: { ...set.metadata, creationTimestamp: '2025-01-01T00:00:00Z' } };
}

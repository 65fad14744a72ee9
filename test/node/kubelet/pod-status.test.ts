import { describe, expect, test } from 'vitest';
import type { ContainerState, ContainerStatus, Pod } from '../../../src/api/types/core.ts';
import {
  type PodFacts,
  podPhase,
  podStatus,
  qosClass,
} from '../../../src/node/kubelet/pod-status.ts';

type Policy = 'Always' | 'OnFailure' | 'Never';

function pod(policy: Policy = 'Always'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { restartPolicy: policy, containers: [{ name: 'c' }] },
  };
}

function status(state: ContainerState, more: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name: 'c', state, ready: false, restartCount: 0, image: '', imageID: '', ...more };
}

function facts(containers: ContainerStatus[], initContainers: ContainerStatus[] = []): PodFacts {
  return { podIP: '192.0.2.7', hostIP: '192.0.2.1', startTime: 't0', containers, initContainers };
}

const running: ContainerState = { running: {} };
const creating: ContainerState = { waiting: { reason: 'ContainerCreating' } };
const backingOff: ContainerState = { waiting: { reason: 'CrashLoopBackOff' } };
const ended = (exitCode: number): ContainerState => ({ terminated: { exitCode } });

describe('phase', () => {
  test.each<[string, Policy, ContainerStatus[], ContainerStatus[], string]>([
    ['not started', 'Always', [status(creating)], [], 'Pending'],
    ['running', 'Always', [status(running)], [], 'Running'],
    ['one of two started', 'Always', [status(running), status(creating)], [], 'Pending'],
    ['crash loop', 'Always', [status(backingOff, { lastState: ended(1) })], [], 'Running'],
    ['ended, to be restarted', 'Always', [status(ended(0))], [], 'Running'],
    ['succeeded', 'Never', [status(ended(0))], [], 'Succeeded'],
    ['succeeded on retry', 'OnFailure', [status(ended(0))], [], 'Succeeded'],
    ['failed', 'Never', [status(ended(1))], [], 'Failed'],
    ['failed, to be restarted', 'OnFailure', [status(ended(1))], [], 'Running'],
    ['one still runs', 'Never', [status(ended(1)), status(running)], [], 'Running'],
    ['initialising', 'Always', [status(creating)], [status(running)], 'Pending'],
    ['init failed for good', 'Never', [status(creating)], [status(ended(1))], 'Failed'],
    ['init done', 'Always', [status(running)], [status(ended(0))], 'Running'],
  ])('%s (%s)', (_, policy, containers, init, phase) =>
    expect(podPhase(pod(policy), facts(containers, init))).toBe(phase),
  );
});

describe('conditions', () => {
  const ready = status(running, { ready: true });

  test('all ready', () => {
    const { conditions = [] } = podStatus(pod(), facts([ready]), 't1');
    expect(conditions.map(({ type, status: value }) => `${type}=${value}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
    ]);
  });

  test('unready containers are named', () => {
    const { conditions = [] } = podStatus(pod(), facts([status(running)]), 't1');
    expect(conditions.find(({ type }) => type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [c]',
    });
  });

  test('a transition is stamped when the status changes, not before', () => {
    const first = podStatus(pod(), facts([ready]), 't1');
    const again = podStatus({ ...pod(), status: first }, facts([ready]), 't2');
    const lost = podStatus({ ...pod(), status: first }, facts([status(running)]), 't3');
    const readySince = (of: typeof first) =>
      of.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
    expect([readySince(first), readySince(again), readySince(lost)]).toEqual(['t1', 't1', 't3']);
  });

  test("others' conditions stay, and a readiness gate holds Ready back", () => {
    const gated: Pod = {
      ...pod(),
      spec: { ...pod().spec, readinessGates: [{ conditionType: 'lb' }] },
    };
    const waiting = podStatus(gated, facts([ready]), 't1');
    expect(waiting.conditions?.find(({ type }) => type === 'Ready')?.reason).toBe(
      'ReadinessGatesNotReady',
    );
    const open = { ...gated, status: { conditions: [{ type: 'lb', status: 'True' as const }] } };
    const through = podStatus(open, facts([ready]), 't2');
    expect(through.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    expect(through.conditions?.some(({ type }) => type === 'lb')).toBe(true);
  });
});

test.each([
  [{}, 'BestEffort'],
  [{ requests: { cpu: '1' } }, 'Burstable'],
  [{ limits: { cpu: '1', memory: '1Gi' } }, 'Guaranteed'],
  [{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } }, 'Burstable'],
])('quality of service of %j', (resources, expected) => {
  const made = pod();
  expect(qosClass({ ...made, spec: { containers: [{ name: 'c', resources }] } })).toBe(expected);
});

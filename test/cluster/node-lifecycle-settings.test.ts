import { expect, test } from 'vitest';
import {
  type NodeLifecycleInput,
  resolveNodeLifecycle,
} from '../../src/cluster/node-lifecycle-settings.ts';

function resolved(input: NodeLifecycleInput) {
  const refused: string[] = [];
  const settings = resolveNodeLifecycle(input, (field, message) => {
    refused.push(`${field}: ${message}`);
    return undefined;
  });
  return { settings, refused };
}

test("the defaults are Kubernetes' own", () => {
  expect(resolved({}).settings).toEqual({
    monitorPeriodMs: 5000,
    monitorGracePeriodMs: 40_000,
    leaseDurationSeconds: 40,
    notReadyTolerationSeconds: 300,
    unreachableTolerationSeconds: 300,
  });
});

test('a short grace period shortens the lease, and with it the time between heartbeats', () => {
  expect(resolved({ monitorGracePeriod: '2s' }).settings?.leaseDurationSeconds).toBe(2);
  expect(resolved({ monitorGracePeriod: '5m' }).settings?.leaseDurationSeconds).toBe(40);
});

test('zero seconds of toleration are allowed', () => {
  const { settings, refused } = resolved({ unreachableTolerationSeconds: 0 });
  expect(refused).toEqual([]);
  expect(settings?.unreachableTolerationSeconds).toBe(0);
});

test.each<[NodeLifecycleInput, RegExp]>([
  [{ monitorPeriod: '5' }, /^nodeLifecycle.monitorPeriod: Invalid value: "5": must be a duration/],
  [{ monitorGracePeriod: '0s' }, /^nodeLifecycle.monitorGracePeriod: .*must be a duration/],
  [{ leaseDurationSeconds: 0 }, /^nodeLifecycle.leaseDurationSeconds: .*1 or more/],
  [{ notReadyTolerationSeconds: 1.5 }, /^nodeLifecycle.notReadyTolerationSeconds: .*whole number/],
  [
    { monitorGracePeriod: '10s', leaseDurationSeconds: 40 },
    /^nodeLifecycle.monitorGracePeriod: .*heartbeat every 10000 ms/,
  ],
])('%j is refused', (input, message) => {
  expect(resolved(input).refused[0]).toMatch(message);
});

import { describe, expect, test } from 'vitest';
import type { Pod, Service } from '../../../src/api/types/core.ts';
import {
  TriggerTimes,
  withTriggerTime,
} from '../../../src/controlplane/controllers/trigger-times.ts';

const CREATED = '2026-01-01T00:00:00Z';
const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default', creationTimestamp: CREATED },
  spec: {},
};

function pod(name: string, readySince: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [] },
    status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: readySince }] },
  };
}

describe('when a change of endpoints began', () => {
  test('a new Service: when it was made', () => {
    const times = new TriggerTimes();
    expect(times.next('default/web', service, [pod('a', '2026-01-01T00:00:05Z')])).toBe(CREATED);
  });

  test('then the oldest of the pods that changed since', () => {
    const times = new TriggerTimes();
    times.next('default/web', service, [pod('a', '2026-01-01T00:00:05Z')]);
    const now = [
      pod('a', '2026-01-01T00:00:05Z'),
      pod('b', '2026-01-01T00:00:09Z'),
      pod('c', '2026-01-01T00:00:07Z'),
    ];
    expect(times.next('default/web', service, now)).toBe('2026-01-01T00:00:07Z');
    expect(times.next('default/web', service, now)).toBeUndefined();
  });

  test('a pod that left has no time, a Service that was forgotten is new', () => {
    const times = new TriggerTimes();
    times.next('default/web', service, [pod('a', '2026-01-01T00:00:05Z')]);
    expect(times.next('default/web', service, [])).toBeUndefined();
    times.forget('default/web');
    expect(times.next('default/web', service, [])).toBe(CREATED);
  });

  test('an older time does not stay behind in the annotations', () => {
    const before = withTriggerTime({ mine: 'x' }, CREATED);
    expect(withTriggerTime(before, undefined)).toEqual({ mine: 'x' });
  });
});

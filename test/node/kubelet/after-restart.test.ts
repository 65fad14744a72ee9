import { describe, expect, test } from 'vitest';
import type { ContainerState, ContainerStatus } from '../../../src/api/types/core.ts';
import { resumedContainer } from '../../../src/node/kubelet/after-restart.ts';

const NOW = '2026-01-01T00:10:00Z';
const container = { name: 'c', image: 'nginx' };
const RUNNING = { running: { startedAt: '2026-01-01T00:00:00Z' } };

function before(state: ContainerState, restartCount = 2): ContainerStatus {
  return { name: 'c', state, ready: true, restartCount, image: 'nginx', imageID: 'nginx' };
}

function terminated(exitCode: number): ContainerState {
  return { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' } };
}

describe('a container whose node went away under it', () => {
  test('ended with 255 for reasons unknown and starts again', () => {
    expect(resumedContainer(container, before(RUNNING), 'Always', NOW)).toMatchObject({
      isOver: false,
      status: {
        restartCount: 3,
        ready: false,
        state: { waiting: { reason: 'ContainerCreating' } },
        lastState: {
          terminated: {
            exitCode: 255,
            reason: 'Unknown',
            startedAt: '2026-01-01T00:00:00Z',
            finishedAt: NOW,
          },
        },
      },
    });
  });

  test('ends there with restartPolicy Never', () => {
    expect(resumedContainer(container, before(RUNNING), 'Never', NOW)).toMatchObject({
      isOver: true,
      status: { restartCount: 2, ready: false, state: { terminated: { exitCode: 255 } } },
    });
  });

  test.each([
    [0, true],
    [1, false],
  ])('that had exited with %i before: OnFailure lets it rest: %s', (exitCode, isOver) => {
    const resumed = resumedContainer(container, before(terminated(exitCode)), 'OnFailure', NOW);
    expect(resumed?.isOver).toBe(isOver);
  });

  test('that waited keeps its count and its last end', () => {
    const waiting = {
      ...before({ waiting: { reason: 'CrashLoopBackOff' } }, 5),
      lastState: terminated(1),
    };
    expect(resumedContainer(container, waiting, 'Always', NOW)?.status).toMatchObject({
      restartCount: 5,
      lastState: terminated(1),
    });
  });

  test('that had not begun is none', () => {
    expect(resumedContainer(container, undefined, 'Always', NOW)).toBeUndefined();
  });
});

import type { Container, ContainerStatus, Pod } from '../../api/types/core.ts';
import type { RestartPolicy } from './container-worker.ts';
import { waitingStatus } from './pod-status.ts';

/** A container as its node finds it after a restart. */
export interface Resumed {
  readonly status: ContainerStatus;
  /** Its restart policy lets it rest. */
  readonly isOver: boolean;
}

/** True when an earlier life of the node ran this pod: its containers and its sandbox are gone. */
export function hasRunBefore(pod: Pod): boolean {
  return (pod.status?.containerStatuses?.length ?? 0) > 0;
}

/**
 * What the kubelet makes of a container whose process went with its node: it ended with 255, for reasons
 * unknown, and starts again where the restart policy says so (kuberuntime: computePodActions). Undefined for
 * one that had not begun.
 */
export function resumedContainer(
  container: Container,
  before: ContainerStatus | undefined,
  policy: RestartPolicy,
  now: string,
): Resumed | undefined {
  if (before === undefined) return undefined;
  const { running, terminated } = before.state ?? {};
  if (running === undefined && terminated === undefined)
    return resumed(container, before, before.restartCount);
  const ended = terminated ?? {
    exitCode: 255,
    reason: 'Unknown',
    startedAt: running?.startedAt ?? now,
    finishedAt: now,
  };
  const isOver = policy === 'Never' || (policy === 'OnFailure' && ended.exitCode === 0);
  const state = { terminated: ended };
  if (isOver) return { status: { ...before, state, ready: false, started: false }, isOver };
  return resumed(container, { ...before, lastState: state }, before.restartCount + 1);
}

function resumed(container: Container, before: ContainerStatus, restartCount: number): Resumed {
  const { lastState } = before;
  const status = { ...waitingStatus(container, 'ContainerCreating'), restartCount };
  return { status: lastState === undefined ? status : { ...status, lastState }, isOver: false };
}

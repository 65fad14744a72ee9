import type { Logger } from '../../base/log.ts';
import type { ContainerLog } from './container-log.ts';

/** One container as its runtime sees it: everything resolved, nothing to look up any more. */
export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Declared containerPorts, in order. */
  readonly ports: readonly { readonly port: number; readonly protocol: 'TCP' | 'UDP' | 'SCTP' }[];
  /** Where relative paths start: the pod's folder, or the container's workingDir. */
  readonly workingDir?: string;
  readonly pod: PodIdentity;
  readonly output: ContainerLog;
  readonly log: Logger;
}

export interface PodIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly ip: string;
  readonly nodeName: string;
}

export interface ExitStatus {
  readonly exitCode: number;
  /** Signal number, when one ended it. */
  readonly signal?: number;
  readonly reason: 'Completed' | 'Error';
}

/** A started container. Its owner calls `stop` and waits for `exited` before forgetting it. */
export interface ContainerHandle {
  readonly exited: Promise<ExitStatus>;
  /** SIGTERM's meaning, then SIGKILL's after `graceMs`. Resolves once exited; idempotent. */
  stop(graceMs: number): Promise<void>;
  /** Runs a command as if inside; undefined where this kind of container cannot. */
  exec?(
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ exitCode: number; output: string }>;
}

export interface ContainerRuntime {
  /** Rejects with a PodwireError when the container cannot be started at all. */
  start(spec: ContainerSpec): Promise<ContainerHandle>;
}

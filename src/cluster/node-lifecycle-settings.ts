import { parseGoDurationMs } from '../base/go-duration.ts';
import {
  DEFAULT_LEASE_DURATION_SECONDS,
  LEASE_RENEW_FRACTION,
} from '../node/kubelet/node-heartbeat.ts';
import type { Refuse } from './settings-draft.ts';

/** How soon a lost node is noticed and its pods replaced. */
export interface NodeLifecycleInput {
  /** kube-controller-manager's --node-monitor-period, e.g. `5s`. */
  readonly monitorPeriod?: string;
  /** --node-monitor-grace-period, e.g. `40s`. */
  readonly monitorGracePeriod?: string;
  /** The kubelets' nodeLeaseDurationSeconds; four heartbeats fit in. */
  readonly leaseDurationSeconds?: number;
  /** kube-apiserver's --default-not-ready-toleration-seconds. */
  readonly notReadyTolerationSeconds?: number;
  /** kube-apiserver's --default-unreachable-toleration-seconds. */
  readonly unreachableTolerationSeconds?: number;
}

export interface NodeLifecycleSettings {
  readonly monitorPeriodMs: number;
  readonly monitorGracePeriodMs: number;
  readonly leaseDurationSeconds: number;
  readonly notReadyTolerationSeconds: number;
  readonly unreachableTolerationSeconds: number;
}

/** Kubernetes' own. */
const DEFAULTS = {
  monitorPeriod: '5s',
  monitorGracePeriod: '40s',
  tolerationSeconds: 300,
} as const;

/** Fills in the defaults. A short grace period shortens the lease with it, so that heartbeats keep up. */
export function resolveNodeLifecycle(
  input: NodeLifecycleInput,
  refuse: Refuse,
): NodeLifecycleSettings | undefined {
  const duration = (field: 'monitorPeriod' | 'monitorGracePeriod'): number | undefined => {
    const text = input[field] ?? DEFAULTS[field];
    const ms = parseGoDurationMs(text);
    return ms !== undefined && ms > 0
      ? ms
      : refuse(
          `nodeLifecycle.${field}`,
          `Invalid value: "${text}": must be a duration such as 40s`,
        );
  };
  const seconds = (field: keyof NodeLifecycleInput & `${string}Seconds`, least: number) => {
    const value = input[field];
    if (value === undefined || (Number.isInteger(value) && value >= least)) return value;
    return refuse(
      `nodeLifecycle.${field}`,
      `Invalid value: ${value}: must be a whole number of seconds, ${least} or more`,
    );
  };
  const monitorPeriodMs = duration('monitorPeriod');
  const monitorGracePeriodMs = duration('monitorGracePeriod');
  if (monitorPeriodMs === undefined || monitorGracePeriodMs === undefined) return undefined;
  const leaseDurationSeconds =
    seconds('leaseDurationSeconds', 1) ??
    Math.min(DEFAULT_LEASE_DURATION_SECONDS, Math.ceil(monitorGracePeriodMs / 1000));
  const renewMs = leaseDurationSeconds * LEASE_RENEW_FRACTION * 1000;
  if (monitorGracePeriodMs < 2 * renewMs)
    refuse(
      'nodeLifecycle.monitorGracePeriod',
      `Invalid value: "${input.monitorGracePeriod ?? DEFAULTS.monitorGracePeriod}": nodes send a heartbeat every ${renewMs} ms; give them time for two, or shorten leaseDurationSeconds`,
    );
  return {
    monitorPeriodMs,
    monitorGracePeriodMs,
    leaseDurationSeconds,
    notReadyTolerationSeconds:
      seconds('notReadyTolerationSeconds', 0) ?? DEFAULTS.tolerationSeconds,
    unreachableTolerationSeconds:
      seconds('unreachableTolerationSeconds', 0) ?? DEFAULTS.tolerationSeconds,
  };
}

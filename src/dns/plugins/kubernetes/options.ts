import type { Fallthrough } from '../../plugin/setup.ts';

export type PodsMode = 'disabled' | 'insecure' | 'verified';

/** True for objects that may be served. */
export type LabelFilter = (labels: Readonly<Record<string, string>> | undefined) => boolean;

/** The `kubernetes` directive, as its README documents it. */
export interface KubernetesOptions {
  /** Folded; at least one is not a reverse zone. */
  readonly zones: readonly string[];
  /** Where PTR records point: the first zone that is not a reverse zone. */
  readonly primaryZone: string;
  readonly multiclusterZones: readonly string[];
  readonly pods: PodsMode;
  readonly endpointPodNames: boolean;
  readonly ttlSeconds: number;
  /** False with `noendpoints`: no slices are watched. */
  readonly endpoints: boolean;
  readonly ignoreEmptyService: boolean;
  readonly zonal: boolean;
  /** Absent: every namespace. */
  readonly namespaces?: ReadonlySet<string>;
  readonly namespaceLabels?: LabelFilter;
  readonly labels?: LabelFilter;
  readonly fallthrough?: Fallthrough;
  readonly startupTimeoutMs: number;
}

export const DEFAULT_TTL_SECONDS = 5;
export const MAX_TTL_SECONDS = 3600;
export const DEFAULT_STARTUP_TIMEOUT_MS = 5000;

/** TTL of `dns-version`, whatever the ttl option says. */
export const SCHEMA_TTL_SECONDS = 28_800;
/** Version of the DNS-based service discovery specification that the names follow. */
export const SCHEMA_VERSION = '1.1.0';

import { formatApiVersion, type KindDefinition, type KindVersion } from './kind.ts';
import { configMapKind } from './kinds/config-map.ts';
import { controllerRevisionKind } from './kinds/controller-revision.ts';
import { daemonSetKind } from './kinds/daemon-set.ts';
import { deploymentKind } from './kinds/deployment.ts';
import { endpointSliceKind } from './kinds/endpoint-slice.ts';
import { endpointsKind } from './kinds/endpoints.ts';
import { eventKind } from './kinds/event.ts';
import { ipAddressKind } from './kinds/ip-address.ts';
import { leaseKind } from './kinds/lease.ts';
import { namespaceKind } from './kinds/namespace.ts';
import { nodeKind } from './kinds/node.ts';
import { podDisruptionBudgetKind } from './kinds/pod-disruption-budget.ts';
import { podKind } from './kinds/pod.ts';
import { replicaSetKind } from './kinds/replica-set.ts';
import { replicationControllerKind } from './kinds/replication-controller.ts';
import { secretKind } from './kinds/secret.ts';
import { serviceAccountKind } from './kinds/service-account.ts';
import { serviceCidrKind } from './kinds/service-cidr.ts';
import { serviceKind } from './kinds/service.ts';
import { statefulSetKind } from './kinds/stateful-set.ts';

/** Every kind that is served. The order is that of discovery. */
export const KINDS: readonly KindDefinition[] = [
  configMapKind,
  endpointsKind,
  eventKind,
  namespaceKind,
  nodeKind,
  podKind,
  replicationControllerKind,
  secretKind,
  serviceAccountKind,
  serviceKind,
  controllerRevisionKind,
  daemonSetKind,
  deploymentKind,
  replicaSetKind,
  statefulSetKind,
  leaseKind,
  endpointSliceKind,
  ipAddressKind,
  serviceCidrKind,
  podDisruptionBudgetKind,
];

/** A kind in one of its versions. */
export interface ServedKind {
  readonly kind: KindDefinition;
  readonly version: KindVersion;
}

const byApiVersionAndKind = index((kind) => kind.kind);
const byApiVersionAndResource = index((kind) => kind.resource);
const byResource = new Map(KINDS.map((kind) => [kind.resource, kind]));

export function findKind(apiVersion: string, kind: string): ServedKind | undefined {
  return byApiVersionAndKind.get(`${apiVersion} ${kind}`);
}

export function findResource(apiVersion: string, resource: string): ServedKind | undefined {
  return byApiVersionAndResource.get(`${apiVersion} ${resource}`);
}

/** The kind with this plural name; plurals are unique here. */
export function kindOfResource(resource: string): KindDefinition {
  const kind = byResource.get(resource);
  if (kind === undefined) throw new Error(`no kind has the plural ${resource}`);
  return kind;
}

function index(nameOf: (kind: KindDefinition) => string): ReadonlyMap<string, ServedKind> {
  return new Map(
    KINDS.flatMap((kind) =>
      kind.versions.map((version) => [
        `${formatApiVersion(version)} ${nameOf(kind)}`,
        { kind, version },
      ]),
    ),
  );
}

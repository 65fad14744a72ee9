import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  ReplicaSet,
  StatefulSet,
} from '../../api/types/apps.ts';
import type {
  ConfigMap,
  Endpoints,
  Event,
  Namespace,
  Node,
  Pod,
  ReplicationController,
  Secret,
  Service,
  ServiceAccount,
} from '../../api/types/core.ts';
import type { EndpointSlice } from '../../api/types/discovery.ts';
import type { KubeObject } from '../../api/types/meta.ts';
import type {
  IpAddressObject,
  Lease,
  PodDisruptionBudget,
  ServiceCidr,
} from '../../api/types/other.ts';

/** Every resource by its plural name, in its storage version. */
export interface ResourceTypes {
  namespaces: Namespace;
  nodes: Node;
  pods: Pod;
  services: Service;
  endpoints: Endpoints;
  endpointslices: EndpointSlice;
  configmaps: ConfigMap;
  secrets: Secret;
  serviceaccounts: ServiceAccount;
  events: Event;
  leases: Lease;
  deployments: Deployment;
  replicasets: ReplicaSet;
  replicationcontrollers: ReplicationController;
  daemonsets: DaemonSet;
  statefulsets: StatefulSet;
  controllerrevisions: ControllerRevision;
  poddisruptionbudgets: PodDisruptionBudget;
  servicecidrs: ServiceCidr;
  ipaddresses: IpAddressObject;
}

export type ResourceName = keyof ResourceTypes;

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  /** Label selector text, e.g. `app=web,tier!=db`. */
  readonly labelSelector?: string;
  /** Field selector text, e.g. `spec.nodeName=node-1`. */
  readonly fieldSelector?: string;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  /** Where a watch that misses nothing starts. */
  readonly resourceVersion: string;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface WatchOptions extends ListOptions {
  /** Changes after this version are delivered. */
  readonly resourceVersion: string;
  readonly signal: AbortSignal;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** Delete only this incarnation or this version; anything else is a 409. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export type PatchType = 'json' | 'merge' | 'strategic';

/**
 * One kind of object. Failures are {@link ApiError}s that carry the server's Status. Objects handed out
 * are shared and frozen: copy before changing.
 */
export interface ResourceClient<T extends KubeObject> {
  get(name: string, namespace?: string): Promise<T>;
  list(options?: ListOptions): Promise<ObjectList<T>>;
  create(object: T): Promise<T>;
  /** Replaces all but status; 409 when `metadata.resourceVersion` is stale. */
  update(object: T): Promise<T>;
  updateStatus(object: T): Promise<T>;
  patch(
    name: string,
    namespace: string | undefined,
    patch: { readonly type: PatchType; readonly body: unknown; readonly subresource?: 'status' },
  ): Promise<T>;
  /** The object as it was left: still there with a deletionTimestamp when it waits for something. */
  delete(name: string, namespace?: string, options?: DeleteOptions): Promise<T>;
  /**
   * Ends when the signal aborts. Throws an ApiError with code 410 when `resourceVersion` is too old or the
   * reader fell too far behind: list again and watch from there.
   */
  watch(options: WatchOptions): AsyncIterable<WatchEvent<T>>;
}

/** The API as nodes and controllers see it: in process or over HTTP. */
export interface Client {
  resource<K extends ResourceName>(resource: K): ResourceClient<ResourceTypes[K]>;
  /** Binds a pod to a node, as the scheduler does (pods/binding). */
  bind(pod: { readonly name: string; readonly namespace: string }, nodeName: string): Promise<void>;
}

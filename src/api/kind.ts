import type { FieldErrors } from './field-errors.ts';
import type { JsonObject } from './json.ts';
import type { NameCheck } from './names.ts';
import type { TableColumn } from './table.ts';
import type { KubeObject } from './types/meta.ts';

/** One served version of a kind. All versions of a kind share its storage. */
export interface KindVersion {
  /** `''` for the core group. */
  readonly group: string;
  readonly version: string;
  /** The message in the field table; the storage version's where absent. */
  readonly message?: string;
  /** What clients are told on use: a `Warning` header's text. */
  readonly deprecation?: string;
  /** Served but hidden from short names, so that `kubectl get deploy` stays unambiguous. */
  readonly legacy?: boolean;
  /** Defaults of this version only, before the kind's own. Changes the object in place. */
  readonly defaults?: (object: KubeObject & JsonObject) => void;
  /** From this version's JSON to the storage version's, in place. Absent: the same fields. */
  readonly toStorage?: (object: JsonObject) => void;
  /** From the storage version's JSON to this version's, in place. Absent: the same fields. */
  readonly fromStorage?: (object: JsonObject) => void;
}

export interface ValidationContext {
  readonly errors: FieldErrors;
  /** The version the client wrote in, `apps/v1`: old versions allow more. */
  readonly apiVersion: string;
}

/**
 * Everything the API needs to know about one kind. Adding a kind is one file under kinds/ and one line in
 * kinds.ts. Functions get storage-version objects that decoding has checked against the field table.
 */
export interface KindDefinition<T extends KubeObject = KubeObject> {
  readonly kind: string;
  /** The plural name in URLs. */
  readonly resource: string;
  readonly singular: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly namespaced: boolean;
  /** Where its objects are in the store, below `/registry/`; as Kubernetes has them in etcd. */
  readonly storagePrefix: string;
  /** The storage version first. */
  readonly versions: readonly [KindVersion, ...KindVersion[]];
  /** The storage version's message in the field table. */
  readonly message: string;
  readonly nameCheck: NameCheck;
  /** `metadata.generation` grows with every change outside metadata and status. */
  readonly hasGeneration: boolean;
  readonly hasStatus: boolean;
  /** Paths for field selectors, and what an absent value reads as. Every kind has metadata.name too. */
  readonly selectableFields?: Readonly<Record<string, string>>;
  readonly columns: readonly TableColumn<T>[];
  /** Conditions of a table row, as finished pods have. */
  rowConditions?(object: T): readonly JsonObject[];
  /** Fills what a user may leave out. Idempotent. Changes the object in place. */
  defaults?(object: T): void;
  /** Sets what a new object must start with, after which it is validated. */
  prepareForCreate?(object: T): void;
  /** Carries over what an update may omit or may not touch. */
  prepareForUpdate?(object: T, old: T): void;
  validate?(object: T, context: ValidationContext): void;
  validateUpdate?(object: T, old: T, context: ValidationContext): void;
  /** Why an object may never be deleted; undefined where it may. */
  undeletable?(object: T): string | undefined;
  /** How long a deleted object lives on when the caller does not say; absent or 0: it goes at once. */
  gracePeriodSeconds?(object: T): number;
  /** Deletion begins: what the object says about it, besides its deletionTimestamp. In place. */
  markDeleted?(object: T): void;
  /** True while a deleted object must stay for a reason of its own, besides finalizers. */
  blocksDeletion?(object: T): boolean;
  /** The scale subresource, where the kind has one. */
  readonly scale?: ScaleAccess<T>;
}

export interface ScaleAccess<T extends KubeObject> {
  replicas(object: T): number;
  setReplicas(object: T, replicas: number): void;
  statusReplicas(object: T): number;
  /** Label selector text. */
  selector(object: T): string;
}

/** Checks a definition's types; the table holds them all with their object types erased. */
export function defineKind<T extends KubeObject>(definition: KindDefinition<T>): KindDefinition {
  return definition;
}

/** `apps/v1`, or `v1` in the core group. */
export function formatApiVersion(version: Pick<KindVersion, 'group' | 'version'>): string {
  return version.group === '' ? version.version : `${version.group}/${version.version}`;
}

/** `{group, resource}` as error messages name it. */
export function groupResource(kind: KindDefinition): { group: string; resource: string } {
  return { group: kind.versions[0].group, resource: kind.resource };
}

export function groupKind(kind: KindDefinition): { group: string; kind: string } {
  return { group: kind.versions[0].group, kind: kind.kind };
}

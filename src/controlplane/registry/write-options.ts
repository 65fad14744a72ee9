import type { KindVersion } from '../../api/kind.ts';
import type { KubeObject } from '../../api/types/meta.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface WriteOptions {
  /** The version the client speaks; the storage version where absent. */
  readonly version?: KindVersion | undefined;
  /** Validate and allocate, then store nothing. */
  readonly dryRun?: boolean | undefined;
  /** What happens to fields the kind does not have. Default Ignore. */
  readonly fieldValidation?: FieldValidation | undefined;
  /** Told about every dropped field when `fieldValidation` is Warn. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** The refusal of input that is no such object, and why it is none. Absent: a 400 that says so. */
  readonly unreadable?: ((why: string) => Error) | undefined;
  /** Runs on what is about to be stored, for managedFields. `old` is undefined on create. */
  readonly beforeStore?: ((draft: KubeObject, old: KubeObject | undefined) => void) | undefined;
}

export interface UpdateOptions extends WriteOptions {
  /** `status` replaces the status alone; anything else goes to the rest of the object. */
  readonly subresource?: 'status' | undefined;
  /** The write comes from the server itself (binding): the rules for users do not apply. */
  readonly trusted?: boolean | undefined;
}

export interface DeleteRequest {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface Selection {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

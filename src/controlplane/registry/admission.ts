import type { KubeObject } from '../../api/types/meta.ts';
import type { FieldErrors } from '../../api/field-errors.ts';
import type { AllocationTransaction } from '../../ipam/allocation-transaction.ts';

export interface AdmissionContext {
  /** What is taken in it is given back when the write does not take place. */
  readonly transaction: AllocationTransaction;
  readonly errors: FieldErrors;
}

/**
 * What a kind needs from the rest of the cluster before it is stored: allocations, other objects. Drafts may
 * be changed; problems go to `context.errors` or are thrown as ApiErrors.
 */
export interface Admission {
  create?(draft: KubeObject, context: AdmissionContext): void;
  update?(draft: KubeObject, old: KubeObject, context: AdmissionContext): void;
  /** The object has left the store. */
  removed?(object: KubeObject): void;
}

import type { FieldErrors } from '../../api/field-errors.ts';
import type { KindDefinition } from '../../api/kind.ts';
import { isQualifiedName, validateLabels } from '../../api/names.ts';
import type { KubeObject, ObjectMeta } from '../../api/types/meta.ts';
import type { Random } from '../../base/random.ts';

/** validation.TotalAnnotationSizeLimitB. */
const MAX_ANNOTATION_BYTES = 256 * 1024;
/** names.maxGeneratedNameLength: what is left of 63 for the base. */
const MAX_GENERATED_BASE = 58;
/** No vowels, nothing that looks like something else (apimachinery/pkg/util/rand). */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;

export function uuid(random: Random): string {
  const hex = Array.from({ length: 4 }, () => random.uint32().toString(16).padStart(8, '0')).join(
    '',
  );
  const variant = (8 + (Number.parseInt(hex[16] ?? '0', 16) % 4)).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** `base` and five random characters, as generateName and the workload controllers make names. */
export function generateName(base: string, random: Random): string {
  let suffix = '';
  for (let index = 0; index < SUFFIX_LENGTH; index += 1)
    suffix += NAME_ALPHABET[random.below(NAME_ALPHABET.length)] ?? '';
  return base.slice(0, MAX_GENERATED_BASE) + suffix;
}

/** ValidateObjectMeta. */
export function validateObjectMeta(
  metadata: ObjectMeta,
  kind: KindDefinition,
  errors: FieldErrors,
): void {
  const { name = '', generateName: base = '' } = metadata;
  if (name === '' && base === '')
    errors.required('metadata.name', 'name or generateName is required');
  else if (name !== '') errors.invalidAll('metadata.name', name, kind.nameCheck(name));
  if (!kind.namespaced && (metadata.namespace ?? '') !== '')
    errors.forbidden('metadata.namespace', 'not allowed on this type');
  validateLabels(metadata.labels ?? {}, 'metadata.labels', errors);
  validateAnnotations(metadata.annotations ?? {}, errors);
  for (const [index, owner] of (metadata.ownerReferences ?? []).entries()) {
    const at = `metadata.ownerReferences[${index}]`;
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if ((owner[field] ?? '') === '')
        errors.invalid(`${at}.${field}`, '', `${field} must not be empty`);
  }
  const controllers = (metadata.ownerReferences ?? []).filter((owner) => owner.controller === true);
  if (controllers.length > 1)
    errors.invalid(
      'metadata.ownerReferences',
      controllers.map((owner) => owner.name),
      'Only one reference can have Controller set to true',
    );
  for (const finalizer of metadata.finalizers ?? [])
    errors.invalidAll('metadata.finalizers', finalizer, isQualifiedName(finalizer));
}

function validateAnnotations(
  annotations: Readonly<Record<string, string>>,
  errors: FieldErrors,
): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    errors.invalidAll('metadata.annotations', key, isQualifiedName(key.toLowerCase()));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > MAX_ANNOTATION_BYTES) errors.tooLong('metadata.annotations', MAX_ANNOTATION_BYTES);
}

/** ValidateObjectMetaUpdate: what is left to check once the server's own fields were carried over. */
export function validateObjectMetaUpdate(
  next: ObjectMeta,
  old: ObjectMeta,
  errors: FieldErrors,
): void {
  if (old.deletionTimestamp === undefined) return;
  const added = (next.finalizers ?? []).filter((name) => !(old.finalizers ?? []).includes(name));
  if (added.length > 0)
    errors.forbidden(
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
    );
}

/** Fields only the server sets: an update cannot touch them. */
export function carryOverSystemFields(next: KubeObject, old: KubeObject): void {
  const { metadata } = next;
  const kept = old.metadata;
  metadata.name = kept.name ?? '';
  assign(metadata, 'namespace', kept.namespace);
  assign(metadata, 'uid', kept.uid);
  assign(metadata, 'generateName', kept.generateName);
  assign(metadata, 'generation', kept.generation);
  assign(metadata, 'creationTimestamp', kept.creationTimestamp);
  assign(metadata, 'deletionTimestamp', kept.deletionTimestamp);
  assign(metadata, 'deletionGracePeriodSeconds', kept.deletionGracePeriodSeconds);
  assign(metadata, 'resourceVersion', kept.resourceVersion);
}

function assign<K extends keyof ObjectMeta>(
  metadata: ObjectMeta,
  key: K,
  value: ObjectMeta[K] | undefined,
): void {
  if (value === undefined) delete metadata[key];
  else metadata[key] = value;
}

/** What a new object may not bring along. */
export function clearSystemFields(metadata: ObjectMeta): void {
  delete metadata.resourceVersion;
  delete metadata.uid;
  delete metadata.creationTimestamp;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.generation;
}

import type { FieldErrors } from '../field-errors.ts';
import { equalJson } from '../json.ts';
import type { ScaleAccess } from '../kind.ts';
import { formatSelector, matchesSelector, validateLabelSelector } from '../label-selector.ts';
import { validateLabels } from '../names.ts';
import type { TableColumn } from '../table.ts';
import type { PodTemplateSpec } from '../types/core.ts';
import type { IntOrString, KubeObject, LabelSelector } from '../types/meta.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { validatePodSpec } from './pod-validation.ts';

/** What the kinds that make pods from a template have in common. */
export interface TemplateOwner extends KubeObject {
  spec: { selector?: LabelSelector; template?: PodTemplateSpec };
}

export function defaultTemplate(template: PodTemplateSpec | undefined): void {
  if (template?.spec !== undefined) defaultPodSpec(template.spec);
}

/** Versions before apps/v1beta2 take the selector and the labels from the template. */
export function selectorFromTemplate(object: TemplateOwner): void {
  const labels = object.spec.template?.metadata?.labels;
  if (labels === undefined || Object.keys(labels).length === 0) return;
  object.spec.selector ??= { matchLabels: { ...labels } };
  if (Object.keys(object.metadata.labels ?? {}).length === 0)
    object.metadata.labels = { ...labels };
}

export function validateNonNegative(
  value: number | undefined,
  field: string,
  errors: FieldErrors,
): void {
  if ((value ?? 0) < 0) errors.invalid(field, value, 'must be greater than or equal to 0');
}

/** `spec.selector` and `spec.template` of the apps group. */
export function validateSelectorAndTemplate(object: TemplateOwner, errors: FieldErrors): void {
  const { selector, template } = object.spec;
  if (selector === undefined) errors.required('spec.selector');
  else {
    validateLabelSelector(selector, 'spec.selector', errors);
    if (
      Object.keys(selector.matchLabels ?? {}).length === 0 &&
      (selector.matchExpressions ?? []).length === 0
    )
      errors.invalid('spec.selector', selector, 'empty selector is invalid for deployment');
  }
  const labels = template?.metadata?.labels;
  if (template !== undefined && !matchesSelector(selector, labels ?? {}))
    errors.invalid(
      'spec.template.metadata.labels',
      labels ?? null,
      '`selector` does not match template `labels`',
    );
  validateTemplate(template, errors);
}

export function validateTemplate(template: PodTemplateSpec | undefined, errors: FieldErrors): void {
  if (template === undefined) {
    errors.required('spec.template');
    return;
  }
  validateLabels(template.metadata?.labels ?? {}, 'spec.template.labels', errors);
  validatePodSpec(template.spec, 'spec.template.spec', errors);
  const { restartPolicy } = template.spec;
  if (restartPolicy !== undefined && restartPolicy !== 'Always')
    errors.notSupported('spec.template.spec.restartPolicy', restartPolicy, ['Always']);
  if (template.spec.activeDeadlineSeconds !== undefined)
    errors.forbidden(
      'spec.template.spec.activeDeadlineSeconds',
      'activeDeadlineSeconds in ReplicaSet is not Supported',
    );
}

export function validateImmutableSelector(
  object: TemplateOwner,
  old: TemplateOwner,
  errors: FieldErrors,
): void {
  if (!equalJson(object.spec.selector, old.spec.selector))
    errors.invalid('spec.selector', object.spec.selector, 'field is immutable');
}

/** A count or a percentage, as maxSurge and maxUnavailable take. */
export function validateIntOrPercent(
  value: IntOrString | undefined,
  field: string,
  errors: FieldErrors,
): void {
  if (value === undefined) return;
  if (typeof value === 'number') validateNonNegative(value, field, errors);
  else if (!/^\d+%$/.test(value))
    errors.invalid(
      field,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    );
}

/** The columns `-o wide` adds to every workload. */
export function containerColumns<
  T extends KubeObject & { spec: { template?: PodTemplateSpec } },
>(): TableColumn<T>[] {
  const containers = (object: T) => object.spec.template?.spec.containers ?? [];
  return [
    {
      name: 'Containers',
      priority: 1,
      description: 'Names of each container in the template.',
      cell: (object) =>
        containers(object)
          .map((container) => container.name)
          .join(','),
    },
    {
      name: 'Images',
      priority: 1,
      description: 'Images referenced by each container in the template.',
      cell: (object) =>
        containers(object)
          .map((container) => container.image ?? '')
          .join(','),
    },
  ];
}

export function selectorColumn<
  T extends KubeObject & { spec: { selector?: LabelSelector } },
>(): TableColumn<T> {
  return {
    name: 'Selector',
    priority: 1,
    description: 'The label selector that finds the pods.',
    cell: (object) => formatSelector(object.spec.selector),
  };
}

/** What ReplicaSets and ReplicationControllers have in common. */
interface Replicas extends KubeObject {
  spec: { replicas?: number };
  status?: { replicas: number; readyReplicas?: number };
}

export function replicaColumns<T extends Replicas>(): readonly TableColumn<T>[] {
  return [
    {
      name: 'Desired',
      type: 'integer',
      description: 'Pods asked for.',
      cell: ({ spec }) => spec.replicas ?? 0,
    },
    {
      name: 'Current',
      type: 'integer',
      description: 'Pods that exist.',
      cell: ({ status }) => status?.replicas ?? 0,
    },
    {
      name: 'Ready',
      type: 'integer',
      description: 'Pods that are ready.',
      cell: ({ status }) => status?.readyReplicas ?? 0,
    },
  ];
}

export function replicaScale<T extends Replicas>(selector: (object: T) => string): ScaleAccess<T> {
  return {
    replicas: ({ spec }) => spec.replicas ?? 0,
    setReplicas({ spec }, replicas) {
      spec.replicas = replicas;
    },
    statusReplicas: ({ status }) => status?.replicas ?? 0,
    selector,
  };
}

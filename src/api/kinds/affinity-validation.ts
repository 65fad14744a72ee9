import type { FieldErrors } from '../field-errors.ts';
import { validateLabelSelector, validateOperator } from '../label-selector.ts';
import { isDnsLabel, isQualifiedName } from '../names.ts';
import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityRules,
  PodAffinityTerm,
} from '../types/core.ts';

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

/** validateAffinity (pkg/apis/core/validation). `field` is where the affinity is. */
export function validateAffinity(affinity: Affinity, field: string, errors: FieldErrors): void {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  const required = nodeAffinity?.[REQUIRED];
  if (required !== undefined) {
    const at = `${field}.nodeAffinity.${REQUIRED}.nodeSelectorTerms`;
    const terms = required.nodeSelectorTerms ?? [];
    if (terms.length === 0) errors.required(at, 'must have at least one node selector term');
    for (const [index, term] of terms.entries()) validateNodeTerm(term, `${at}[${index}]`, errors);
  }
  for (const [index, { weight, preference }] of (nodeAffinity?.[PREFERRED] ?? []).entries()) {
    const at = `${field}.nodeAffinity.${PREFERRED}[${index}]`;
    validateWeight(weight, at, errors);
    validateNodeTerm(preference ?? {}, `${at}.preference`, errors);
  }
  validatePodRules(podAffinity, `${field}.podAffinity`, errors);
  validatePodRules(podAntiAffinity, `${field}.podAntiAffinity`, errors);
}

function validateNodeTerm(term: NodeSelectorTerm, field: string, errors: FieldErrors): void {
  for (const [index, requirement] of (term.matchExpressions ?? []).entries())
    validateRequirement(requirement, `${field}.matchExpressions[${index}]`, errors);
}

function validateRequirement(
  { key, operator, values = [] }: NodeSelectorRequirement,
  field: string,
  errors: FieldErrors,
): void {
  if (operator !== 'Gt' && operator !== 'Lt')
    validateOperator(operator ?? '', values, field, errors);
  else if (values.length !== 1)
    errors.required(
      `${field}.values`,
      "must be specified single value when `operator` is 'Lt' or 'Gt'",
    );
  errors.invalidAll(`${field}.key`, key ?? '', isQualifiedName(key ?? ''));
}

function validatePodRules(
  rules: PodAffinityRules | undefined,
  field: string,
  errors: FieldErrors,
): void {
  for (const [index, term] of (rules?.[REQUIRED] ?? []).entries())
    validatePodTerm(term, `${field}.${REQUIRED}[${index}]`, errors);
  for (const [index, { weight, podAffinityTerm }] of (rules?.[PREFERRED] ?? []).entries()) {
    const at = `${field}.${PREFERRED}[${index}]`;
    validateWeight(weight, at, errors);
    validatePodTerm(podAffinityTerm, `${at}.podAffinityTerm`, errors);
  }
}

function validatePodTerm(
  term: PodAffinityTerm | undefined,
  field: string,
  errors: FieldErrors,
): void {
  const { labelSelector, namespaceSelector, namespaces = [], topologyKey = '' } = term ?? {};
  if (labelSelector !== undefined)
    validateLabelSelector(labelSelector, `${field}.labelSelector`, errors);
  if (namespaceSelector !== undefined)
    validateLabelSelector(namespaceSelector, `${field}.namespaceSelector`, errors);
  for (const name of namespaces) errors.invalidAll(`${field}.namespace`, name, isDnsLabel(name));
  if (topologyKey === '') errors.required(`${field}.topologyKey`, 'can not be empty');
  else errors.invalidAll(`${field}.topologyKey`, topologyKey, isQualifiedName(topologyKey));
}

function validateWeight(weight: number | undefined, field: string, errors: FieldErrors): void {
  if (weight === undefined || weight < 1 || weight > 100)
    errors.invalid(`${field}.weight`, weight ?? 0, 'must be in the range 1-100');
}

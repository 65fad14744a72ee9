import type { FieldErrors } from './field-errors.ts';
import { isLabelValue, isQualifiedName } from './names.ts';
import type { LabelSelector, LabelSelectorRequirement } from './types/meta.ts';

export type Labels = Readonly<Record<string, string>>;

/** One condition on labels, whatever notation it came from. */
export type LabelRequirement =
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' };

/** All must hold; none at all matches everything. */
export type LabelRequirements = readonly LabelRequirement[];

/** Whether labels meet every requirement. */
export function matchesLabels(requirements: LabelRequirements, labels: Labels = {}): boolean {
  return requirements.every((requirement) => {
    const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
    switch (requirement.operator) {
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      case 'In':
        return value !== undefined && requirement.values.includes(value);
      case 'NotIn':
        return value === undefined || !requirement.values.includes(value);
    }
  });
}

/** The structured form. An absent selector matches nothing, an empty one everything. */
export function selectorRequirements(
  selector: LabelSelector | undefined,
): LabelRequirements | undefined {
  if (selector === undefined) return undefined;
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(
      ([key, value]) => ({ key, operator: 'In', values: [value] }) as const,
    ),
    ...(selector.matchExpressions ?? []).map(expressionRequirement),
  ];
}

/** {@link selectorRequirements} and {@link matchesLabels} in one: an absent selector matches nothing. */
export function matchesSelector(selector: LabelSelector | undefined, labels?: Labels): boolean {
  const requirements = selectorRequirements(selector);
  return requirements !== undefined && matchesLabels(requirements, labels);
}

/** An equality selector, as Services and ReplicationControllers have. Empty and absent match nothing. */
export function matchesEquality(selector: Labels | undefined, labels: Labels = {}): boolean {
  const entries = Object.entries(selector ?? {});
  return entries.length > 0 && entries.every(([key, value]) => labels[key] === value);
}

/** The text form of a structured selector, as `kubectl get -o wide` prints it. */
export function formatSelector(selector: LabelSelector | undefined): string {
  const requirements = selectorRequirements(selector);
  if (requirements === undefined || requirements.length === 0) return '<none>';
  return formatRequirements(requirements);
}

export function formatRequirements(requirements: LabelRequirements): string {
  return requirements
    .toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
    .map(formatRequirement)
    .join(',');
}

function formatRequirement(requirement: LabelRequirement): string {
  switch (requirement.operator) {
    case 'Exists':
      return requirement.key;
    case 'DoesNotExist':
      return `!${requirement.key}`;
    case 'In':
    case 'NotIn': {
      const values = requirement.values.toSorted();
      if (values.length === 1)
        return `${requirement.key}${requirement.operator === 'In' ? '=' : '!='}${values[0]}`;
      return `${requirement.key} ${requirement.operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
    }
  }
}

function expressionRequirement(expression: LabelSelectorRequirement): LabelRequirement {
  switch (expression.operator) {
    case 'In':
    case 'NotIn':
      return {
        key: expression.key,
        operator: expression.operator,
        values: expression.values ?? [],
      };
    case 'Exists':
    case 'DoesNotExist':
      return { key: expression.key, operator: expression.operator };
    default:
      // Validation refuses it; until then it selects nothing.
      return { key: expression.key, operator: 'In', values: [] };
  }
}

const SET_TERM = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/;
const EQUALITY_TERM = /^([^=!]*?)\s*(!=|==|=)\s*([^=!]*)$/;

/**
 * Parses `app=web,tier in (a,b),!old`. Throws an Error whose message says what is wrong; the API server
 * answers it as 400.
 */
export function parseLabelSelector(text: string): LabelRequirements {
  return splitTerms(text).map(parseTerm);
}

/** At the commas that are not inside parentheses. */
function splitTerms(text: string): string[] {
  return text
    .split(/,(?![^()]*\))/)
    .map((term) => term.trim())
    .filter((term, _, terms) => term !== '' || terms.length > 1);
}

function parseTerm(term: string): LabelRequirement {
  const set = SET_TERM.exec(term);
  if (set !== null) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim());
    return checked({
      key: set[1] ?? '',
      operator: set[2] === 'in' ? 'In' : 'NotIn',
      values,
    });
  }
  const equality = EQUALITY_TERM.exec(term);
  if (equality !== null)
    return checked({
      key: equality[1] ?? '',
      operator: equality[2] === '!=' ? 'NotIn' : 'In',
      values: [equality[3] ?? ''],
    });
  const words = term.split(/\s+/);
  if (words.length > 1 && !term.startsWith('!')) throw unexpectedWord(words);
  if (term.startsWith('!')) return checked({ key: term.slice(1).trim(), operator: 'DoesNotExist' });
  return checked({ key: term, operator: 'Exists' });
}

/** In the words of the real parser (apimachinery/pkg/labels). */
function unexpectedWord([, operator = '', operand = '']: readonly string[]): Error {
  return operator === 'in' || operator === 'notin'
    ? new Error(`unable to parse requirement: found '${operand}', expected: '('`)
    : new Error(
        `unable to parse requirement: found '${operator}', expected: in, notin, =, ==, !=, gt, lt`,
      );
}

function checked(requirement: LabelRequirement): LabelRequirement {
  const wrong = isQualifiedName(requirement.key);
  const values = 'values' in requirement ? requirement.values : [];
  const wrongValues = values.flatMap(isLabelValue);
  const [why] = [...wrong, ...wrongValues];
  if (why !== undefined)
    throw new Error(`unable to parse requirement: ${JSON.stringify(requirement.key)}: ${why}`);
  return requirement;
}

/** Checks the structured form, as in a workload's `spec.selector`. */
export function validateLabelSelector(
  selector: LabelSelector,
  field: string,
  errors: FieldErrors,
): void {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    errors.invalidAll(`${field}.matchLabels`, key, isQualifiedName(key));
    errors.invalidAll(`${field}.matchLabels`, value, isLabelValue(value));
  }
  for (const [index, expression] of (selector.matchExpressions ?? []).entries())
    validateExpression(expression, `${field}.matchExpressions[${index}]`, errors);
}

function validateExpression(
  { key, operator, values = [] }: LabelSelectorRequirement,
  field: string,
  errors: FieldErrors,
): void {
  validateOperator(operator, values, field, errors);
  errors.invalidAll(`${field}.key`, key, isQualifiedName(key));
  for (const [index, value] of values.entries())
    errors.invalidAll(`${field}.values[${index}]`, value, isLabelValue(value));
}

/** Whether the operator is one that sets have, with as many values as it takes. */
export function validateOperator(
  operator: string,
  values: readonly string[],
  field: string,
  errors: FieldErrors,
): void {
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0)
        errors.required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'");
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0)
        errors.forbidden(
          `${field}.values`,
          "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        );
      break;
    default:
      errors.invalid(`${field}.operator`, operator, 'not a valid selector operator');
  }
}

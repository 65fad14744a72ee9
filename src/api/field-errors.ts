import type { StatusCause } from './types/meta.ts';

/** One refused field, in the words of apimachinery's field.Error. */
export interface FieldError {
  readonly field: string;
  /** `FieldValueInvalid`, `FieldValueRequired` …: the cause's reason in a Status. */
  readonly reason: string;
  /** Without the field: `Invalid value: 0: must be between 1 and 65535, inclusive`. */
  readonly message: string;
}

/** Collects what is wrong with one object, so that a user sees everything at once. */
export class FieldErrors {
  readonly list: FieldError[] = [];

  required(field: string, detail?: string): void {
    this.#add(field, 'FieldValueRequired', withDetail('Required value', detail));
  }

  invalid(field: string, value: unknown, detail?: string): void {
    this.#add(
      field,
      'FieldValueInvalid',
      withDetail(`Invalid value: ${formatValue(value)}`, detail),
    );
  }

  duplicate(field: string, value: unknown): void {
    this.#add(field, 'FieldValueDuplicate', `Duplicate value: ${formatValue(value)}`);
  }

  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    const list = supported.toSorted().map(formatValue).join(', ');
    this.#add(
      field,
      'FieldValueNotSupported',
      `Unsupported value: ${formatValue(value)}: supported values: ${list}`,
    );
  }

  forbidden(field: string, detail: string): void {
    this.#add(field, 'FieldValueForbidden', `Forbidden: ${detail}`);
  }

  notFound(field: string, value: unknown): void {
    this.#add(field, 'FieldValueNotFound', `Not found: ${formatValue(value)}`);
  }

  tooLong(field: string, maxBytes: number): void {
    this.#add(field, 'FieldValueTooLong', `Too long: may not be more than ${maxBytes} bytes`);
  }

  /** Adds every message of a check that returns what is wrong. */
  invalidAll(field: string, value: unknown, details: readonly string[]): void {
    for (const detail of details) this.invalid(field, value, detail);
  }

  #add(field: string, reason: string, message: string): void {
    this.list.push({ field, reason, message });
  }
}

/** `spec.ports: Required value`, or `[a, b]` for several. */
export function formatFieldErrors(errors: readonly FieldError[]): string {
  const lines = errors.map((error) => `${error.field}: ${error.message}`);
  return lines.length === 1 ? (lines[0] ?? '') : `[${lines.join(', ')}]`;
}

export function statusCauses(errors: readonly FieldError[]): StatusCause[] {
  return errors.map(({ field, reason, message }) => ({ reason, message, field }));
}

function withDetail(text: string, detail: string | undefined): string {
  return detail === undefined || detail === '' ? text : `${text}: ${detail}`;
}

function formatValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : JSON.stringify(value);
}

import type { FieldErrors } from './field-errors.ts';

/**
 * What Kubernetes calls names (apimachinery/pkg/util/validation). Each check returns what is wrong, in the
 * words of the real API server; nothing when the text is fine.
 */
export type NameCheck = (text: string) => string[];

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const DNS_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const QUALIFIED_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE = `(${QUALIFIED})?`;
const CONFIG_KEY = '[-._a-zA-Z0-9]+';
const ENV_NAME = '[-._a-zA-Z][-._a-zA-Z0-9]*';

export const isDnsLabel: NameCheck = rule(
  LABEL,
  63,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
);

export const isDnsSubdomain: NameCheck = rule(
  SUBDOMAIN,
  253,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
);

export const isDns1035Label: NameCheck = rule(
  DNS_1035,
  63,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
);

export const isLabelValue: NameCheck = rule(
  LABEL_VALUE,
  63,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
);

export const isConfigMapKey: NameCheck = rule(
  CONFIG_KEY,
  253,
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
);

export const isEnvVarName: NameCheck = rule(
  ENV_NAME,
  Number.MAX_SAFE_INTEGER,
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')",
);

const isQualifiedPart = rule(QUALIFIED, 63, `name part ${QUALIFIED_RULE}`);

/** `[prefix/]name`, as in label and annotation keys. */
export function isQualifiedName(text: string): string[] {
  const parts = text.split('/');
  if (parts.length > 2)
    return [
      `a qualified name ${QUALIFIED_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? (parts[0] ?? '') : undefined;
  const wrong: string[] = [];
  if (prefix === '') wrong.push('prefix part must be non-empty');
  else if (prefix !== undefined)
    wrong.push(...isDnsSubdomain(prefix).map((why) => `prefix part ${why}`));
  if (name === '') wrong.push('name part must be non-empty');
  wrong.push(...(name.length > 63 ? ['name part must be no more than 63 bytes'] : []));
  wrong.push(...isQualifiedPart(name.slice(0, 63)));
  return wrong;
}

/** An IANA service name, as container ports carry. */
export function isPortName(text: string): string[] {
  const wrong: string[] = [];
  if (text.length > 15) wrong.push('must be no more than 15 bytes');
  if (!/^[-a-z0-9]+$/.test(text))
    wrong.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(text)) wrong.push('must contain at least one letter (a-z)');
  if (text.includes('--')) wrong.push('must not contain consecutive hyphens');
  if (text.startsWith('-') || text.endsWith('-')) wrong.push('must not begin or end with a hyphen');
  return wrong;
}

export function isPortNumber(port: number): string[] {
  return port >= 1 && port <= 65_535 ? [] : ['must be between 1 and 65535, inclusive'];
}

export function validateLabels(
  labels: Readonly<Record<string, string>>,
  field: string,
  errors: FieldErrors,
): void {
  for (const [key, value] of Object.entries(labels)) {
    errors.invalidAll(field, key, isQualifiedName(key));
    errors.invalidAll(field, value, isLabelValue(value));
  }
}

function rule(pattern: string, maxLength: number, why: string): NameCheck {
  const whole = new RegExp(`^${pattern}$`);
  return (text) => {
    const wrong: string[] = [];
    if (text.length > maxLength) wrong.push(`must be no more than ${maxLength} bytes`);
    // The pattern is run on a bounded prefix: no input can make it slow.
    if (!whole.test(text.slice(0, Math.min(maxLength, 1024) + 1))) wrong.push(why);
    return wrong;
  };
}

/**
 * The part of Go's text/template that answers are written with: fields (`{{ .Name }}`, `{{ .Group.a }}`),
 * `{{ index .Match 1 }}`, `{{ .Meta "plugin/label" }}` and text in between. Anything else is refused
 * when the template is read, not when a query needs it.
 */
export type GoTemplate = (data: TemplateData) => string;

export interface TemplateData {
  readonly Name: string;
  readonly Zone: string;
  readonly Type: string;
  readonly Class: string;
  readonly Remote: string;
  /** The whole match, then its groups. */
  readonly Match: readonly string[];
  /** Groups by name and by number. */
  readonly Group: Readonly<Record<string, string>>;
  readonly Meta: (label: string) => string;
}

const FIELDS: readonly string[] = ['Name', 'Zone', 'Type', 'Class', 'Remote'];

/** Throws an Error that says what was expected. */
export function compileGoTemplate(text: string): GoTemplate {
  const parts: GoTemplate[] = [];
  let at = 0;
  for (const match of text.matchAll(/\{\{(-)?\s*([\s\S]*?)\s*(-)?\}\}/g)) {
    const [whole, , action = ''] = match;
    const literal = text.slice(at, match.index);
    parts.push(() => literal, compileAction(action));
    at = match.index + whole.length;
  }
  const rest = text.slice(at);
  if (rest.includes('{{')) throw new Error("'{{' without '}}'");
  parts.push(() => rest);
  return (data) => parts.map((part) => part(data)).join('');
}

function compileAction(action: string): GoTemplate {
  const field = /^\.(\w+)$/.exec(action)?.[1];
  if (field !== undefined && FIELDS.includes(field))
    return (data) => data[field as 'Name' | 'Zone' | 'Type' | 'Class' | 'Remote'];
  const group = /^\.Group\.(\w+)$/.exec(action)?.[1];
  if (group !== undefined) return (data) => data.Group[group] ?? '';
  const [, list, quoted, number] =
    /^index\s+\.(Group|Match)\s+(?:"([^"]*)"|(\d+))$/.exec(action) ?? [];
  if (list === 'Group') return (data) => data.Group[quoted ?? number ?? ''] ?? '';
  if (list === 'Match' && number !== undefined) return (data) => data.Match[Number(number)] ?? '';
  const label = /^\.Meta\s+"([^"]*)"$/.exec(action)?.[1];
  if (label !== undefined) return (data) => data.Meta(label);
  throw new Error(
    `'{{ ${action} }}' is not supported; expected .Name, .Zone, .Type, .Class, .Remote, .Group.NAME, index .Match N, index .Group "NAME" or .Meta "LABEL"`,
  );
}

/**
 * The part of Go's text/template that answers are written with: fields (`{{ .Name }}`, `{{ .Group.a }}`),
 * `{{ index .Match 1 }}`, `{{ .Meta "plugin/label" }}`, `{{ parseInt .Group.a 16 8 }}` and text in between.
 * Anything else is refused when the template is read, not when a query needs it.
 */
export interface GoTemplate {
  /** As it was written. */
  readonly text: string;
  render(data: TemplateData): string;
}

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
  readonly Question: { readonly Name: string; readonly Qtype: number; readonly Qclass: number };
  readonly Message: { readonly Id: number };
  readonly Meta: (label: string) => string;
}

type Action = (data: TemplateData) => string;

const FIELDS: Readonly<Record<string, Action>> = {
  '.Name': ({ Name }) => Name,
  '.Zone': ({ Zone }) => Zone,
  '.Type': ({ Type }) => Type,
  '.Class': ({ Class }) => Class,
  '.Remote': ({ Remote }) => Remote,
  '.Question.Name': ({ Question }) => Question.Name,
  '.Question.Qtype': ({ Question }) => String(Question.Qtype),
  '.Question.Qclass': ({ Question }) => String(Question.Qclass),
  '.Message.Id': ({ Message }) => String(Message.Id),
};

/** Throws an Error that says what was expected. */
export function compileGoTemplate(text: string): GoTemplate {
  const parts: Action[] = [];
  let at = 0;
  // `{{-` and `-}}` take away the white space next to them.
  for (const match of text.matchAll(
    /(\s+(?=\{\{- ))?\{\{(?:- )?\s*([\s\S]*?)\s*(?: -\}\}\s*|\}\})/g,
  )) {
    const [whole, , action = ''] = match;
    const literal = text.slice(at, match.index);
    parts.push(() => literal, compileAction(action));
    at = match.index + whole.length;
  }
  const rest = text.slice(at);
  if (rest.includes('{{')) throw new Error("'{{' without '}}'");
  parts.push(() => rest);
  return { text, render: (data) => parts.map((part) => part(data)).join('') };
}

function compileAction(action: string): Action {
  const [, inner, base, bits] = /^parseInt\s+(\S+|\(.+\))\s+(\d+)\s+(\d+)$/.exec(action) ?? [];
  if (inner !== undefined) {
    const value = compileValue(inner.replace(/^\(\s*(.*?)\s*\)$/, '$1'));
    return (data) => String(parseUint(value(data), Number(base), Number(bits)));
  }
  return compileValue(action);
}

function compileValue(action: string): Action {
  const field = Object.hasOwn(FIELDS, action) ? FIELDS[action] : undefined;
  if (field !== undefined) return field;
  const group = /^\.Group\.(\w+)$/.exec(action)?.[1];
  if (group !== undefined) return (data) => data.Group[group] ?? '';
  const [, list, quoted, number] =
    /^index\s+\.(Group|Match)\s+(?:"([^"]*)"|(\d+))$/.exec(action) ?? [];
  if (list === 'Group') return (data) => data.Group[quoted ?? number ?? ''] ?? '';
  if (list === 'Match' && number !== undefined) return (data) => data.Match[Number(number)] ?? '';
  const label = /^\.Meta\s+"([^"]*)"$/.exec(action)?.[1];
  if (label !== undefined) return (data) => data.Meta(label);
  throw new Error(
    `'{{ ${action} }}' is not supported; expected ${Object.keys(FIELDS).join(', ')}, .Group.NAME, index .Match N, index .Group "NAME", .Meta "LABEL" or parseInt VALUE BASE BITS`,
  );
}

/** Go's strconv.ParseUint. */
function parseUint(text: string, base: number, bits: number): number {
  const value = Number.parseInt(text, base);
  const isWhole =
    /^[0-9a-z]+$/i.test(text) &&
    value.toString(base).padStart(text.length, '0') === text.toLowerCase();
  if (!isWhole || value >= 2 ** bits)
    throw new Error(`parseInt: '${text}' is not a number of ${bits} bits in base ${base}`);
  return value;
}

import { CorefileError, type Position } from './corefile-error.ts';

/** A word of a Corefile. A quoted brace is text, not structure. */
export interface Token extends Position {
  readonly text: string;
  readonly quoted: boolean;
}

/**
 * Splits a Corefile into words by the rules of Caddy's lexer: white space separates, `#` at the start of
 * a word comments out the line, double quotes hold white space and line breaks, `\"` inside them is a
 * quote. Environment variables are put in as `{$NAME}` or `{%NAME%}`; an unset one is empty.
 */
export function lexCorefile(
  text: string,
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let index = 0;
  while (index < text.length) {
    const char = text[index] ?? '';
    if (char === '\n') line += 1;
    if (/\s/.test(char) || char === '\ufeff') {
      index += 1;
    } else if (char === '#') {
      index = lineEnd(text, index);
    } else if (char === '"') {
      const quoted = readQuoted(text, index, { file, line });
      tokens.push({ text: expand(quoted.text, environment), quoted: true, file, line });
      line += quoted.lineBreaks;
      index = quoted.end;
    } else {
      const end = wordEnd(text, index);
      const word = text.slice(index, end);
      tokens.push({ text: expand(word, environment), quoted: false, file, line });
      index = end;
    }
  }
  return tokens;
}

function readQuoted(
  text: string,
  start: number,
  position: Position,
): { text: string; end: number; lineBreaks: number } {
  let value = '';
  let lineBreaks = 0;
  for (let index = start + 1; index < text.length; index += 1) {
    const char = text[index] ?? '';
    if (char === '"') return { text: value, end: index + 1, lineBreaks };
    if (char === '\n') lineBreaks += 1;
    if (char === '\\' && text[index + 1] === '"') {
      value += '"';
      index += 1;
    } else {
      value += char;
    }
  }
  throw new CorefileError(position, 'quotation mark is never closed');
}

function expand(word: string, environment: Readonly<Record<string, string | undefined>>): string {
  return word.replace(
    /\{\$(\w+)\}|\{%(\w+)%\}/g,
    (_, unix: string | undefined, dos: string | undefined) => environment[unix ?? dos ?? ''] ?? '',
  );
}

function wordEnd(text: string, start: number): number {
  const length = text.slice(start).search(/\s/);
  return length === -1 ? text.length : start + length;
}

function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end === -1 ? text.length : end;
}

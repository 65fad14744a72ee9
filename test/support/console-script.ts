/** One command of a script and what it prints. */
export interface ScriptStep {
  /** For the shell. */
  readonly command: string;
  /** `~`: run again until it prints this, since what it shows comes about by itself. */
  readonly eventually: boolean;
  readonly expected: readonly string[];
  readonly exitCode: number;
  /** Where it stands in the script, from 1. */
  readonly line: number;
}

/** What stands for something that differs from run to run. Everything else in a script is literal. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  '<age>': '(?:\\d+y)?(?:\\d+d)?(?:\\d+h)?(?:\\d+m)?(?:\\d+s)?',
  '<any>': '.*',
  '<hash>': '[a-z0-9]{1,10}',
  '<hex>': '[0-9a-f]{12,64}',
  '<id>': '[a-z0-9]{5}',
  '<ip>': '\\d+\\.\\d+\\.\\d+\\.\\d+',
  '<n>': '\\d+',
  '<node>': 'node-\\d',
  '<port>': '\\d{1,5}',
  '<time>':
    '"?(?:\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z|\\w{3}, \\d\\d \\w{3} \\d{4} [\\d:]+ [-+]\\d{4})"?',
  '<uid>': '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
};

/** A line `...` stands for any number of lines. */
const ANY_LINES = '...';

/**
 * Reads a script: `$ command` or `~ command` (until it prints this), `> more of the command`, then the lines
 * it prints, and `[n]` where it exits with n. `# ` begins a comment. What only one version of the program
 * runs or prints is marked: `$1.35 command`, `1.35| line`.
 */
export function parseScript(text: string, version: string): ScriptStep[] {
  const steps: ScriptStep[] = [];
  let current: { command: string; eventually: boolean; line: number; rest: string[] } | undefined;
  const finish = (): void => {
    if (current !== undefined) steps.push(stepOf(current));
    current = undefined;
  };
  for (const [index, line] of text.split('\n').entries()) {
    const start = /^([$~])(\d+\.\d+)? (.*)$/.exec(line);
    if (start !== null) {
      finish();
      const [, sign, only, command = ''] = start;
      if (only === undefined || only === version)
        current = { command, eventually: sign === '~', line: index + 1, rest: [] };
    } else if (line.startsWith('# ')) finish();
    else if (line.startsWith('> ') && current?.rest.length === 0)
      current.command += `\n${line.slice(2)}`;
    else {
      const marked = /^(\d+\.\d+)\| ?(.*)$/.exec(line);
      if (marked === null) current?.rest.push(line);
      else if (marked[1] === version) current?.rest.push(marked[2] ?? '');
    }
  }
  finish();
  return steps;
}

function stepOf(read: {
  command: string;
  eventually: boolean;
  line: number;
  rest: string[];
}): ScriptStep {
  const expected = withoutBlankEnd(read.rest);
  const code = /^\[(\d+)\]$/.exec(expected.at(-1) ?? '')?.[1];
  return {
    command: read.command,
    eventually: read.eventually,
    line: read.line,
    expected: code === undefined ? expected : withoutBlankEnd(expected.slice(0, -1)),
    exitCode: Number(code ?? 0),
  };
}

/** Whether `printed` is what the step expects. Columns may be wider or narrower: names differ in length. */
export function prints(step: ScriptStep, printed: string): boolean {
  const lines = withoutBlankEnd(printed.split('\n')).map(evenly);
  const patterns = step.expected.map((line) =>
    line === ANY_LINES ? undefined : patternOf(evenly(line)),
  );
  return matches(patterns, lines);
}

/** What was expected, with the placeholders filled where a line is as it should be: for a diff that shows the rest. */
export function expectedLike(step: ScriptStep, printed: string): string[] {
  const lines = withoutBlankEnd(printed.split('\n'));
  return step.expected.map((line, index) => {
    const actual = lines[index];
    return actual !== undefined && patternOf(evenly(line)).test(evenly(actual)) ? actual : line;
  });
}

function matches(patterns: readonly (RegExp | undefined)[], lines: readonly string[]): boolean {
  const [pattern, ...rest] = patterns;
  if (patterns.length === 0) return lines.length === 0;
  if (pattern !== undefined)
    return lines[0] !== undefined && pattern.test(lines[0]) && matches(rest, lines.slice(1));
  for (let skipped = 0; skipped <= lines.length; skipped += 1)
    if (matches(rest, lines.slice(skipped))) return true;
  return false;
}

function patternOf(line: string): RegExp {
  const body = line
    .split(/(<[a-z]+>)/)
    .map((part) => PLACEHOLDERS[part] ?? part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('');
  return new RegExp(`^${body}$`);
}

/** Beyond it, text stands in a column whose place follows from the width of others. */
const MAX_INDENTATION = 8;

/** Indentation stays; within a line, padding counts as one space. */
function evenly(line: string): string {
  const indentation = /^ */.exec(line)?.[0] ?? '';
  return (
    indentation.slice(0, MAX_INDENTATION) +
    line.slice(indentation.length).trimEnd().replaceAll(/\s+/g, ' ')
  );
}

function withoutBlankEnd(lines: readonly string[]): string[] {
  const last = lines.findLastIndex((line) => line.trim() !== '');
  return lines.slice(0, last + 1);
}

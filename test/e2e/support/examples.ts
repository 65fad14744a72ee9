import { expect } from 'vitest';

/** What a page shows: a command, and lines that it prints. */
export interface Example {
  readonly command: string;
  readonly output: readonly string[];
}

/** `$ command` and the lines below it, in every console block. */
export function examples(markdown: string): Example[] {
  const blocks = [...markdown.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(
    ([, body = '']) => body,
  );
  return blocks
    .flatMap((body) => body.split(/^\$ /m).slice(1))
    .map((text) => {
      const [command = '', ...output] = text.split('\n');
      return { command, output: output.filter((line) => line.trim() !== '') };
    });
}

/**
 * Every line the page shows is printed, in any order: pods have no order of their own. `withoutChance` takes out of a
 * line what differs from run to run.
 */
export function expectShown(
  output: string,
  example: Example,
  withoutChance: (line: string) => string,
): void {
  const printed = output.split('\n').map(withoutChance);
  for (const line of example.output.map(withoutChance)) {
    const at = printed.indexOf(line);
    expect(at, `not printed: ${line}\nprinted:\n${printed.join('\n')}`).not.toBe(-1);
    printed.splice(at, 1);
  }
}

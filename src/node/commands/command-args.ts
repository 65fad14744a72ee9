import { parseArgs } from 'node:util';
import { errorMessage } from '../../base/errors.ts';
import { usageError } from './node-command.ts';

type Options = Readonly<
  Record<string, { readonly type: 'boolean' | 'string'; readonly short?: string }>
>;

/** Options by their long names, each at most once, and what stands beside them. */
export interface CommandArgs<O extends Options> {
  readonly values: {
    readonly [Name in keyof O]?: O[Name]['type'] extends 'boolean' ? boolean : string;
  };
  readonly positionals: readonly string[];
}

/** Takes a command line apart. Throws a usage error, with the usage line behind it, for what is not an option. */
export function commandArgs<const O extends Options>(
  usage: string,
  args: readonly string[],
  options: O,
): CommandArgs<O> {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: true });
  } catch (error) {
    // Node adds how to pass it on after all, which is no remedy here.
    const [problem = ''] = errorMessage(error).split('. ');
    throw wrongUsage(usage, problem);
  }
}

export function wrongUsage(usage: string, problem: string): Error {
  return usageError(`${problem}\nusage: ${usage}`);
}

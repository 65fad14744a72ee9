import { errorMessage } from '../../base/errors.ts';
import { CorefileError } from './corefile-error.ts';
import type { Token } from './lexer.ts';

/**
 * A Go regular expression as JavaScript's: the syntaxes agree but for named groups and inline flags at
 * the beginning. Go's never backtrack; these may, and Corefiles are written by whoever runs the server.
 */
export function goPattern(token: Token): RegExp {
  const [, flags = '', source = token.text] = /^\(\?([ims]+)\)([\s\S]*)$/.exec(token.text) ?? [];
  const translated = source.replaceAll('(?P<', '(?<').replace(/\\A/g, '^').replace(/\\z/g, '$');
  try {
    return new RegExp(translated, flags);
  } catch (error) {
    throw new CorefileError(
      token,
      `'${token.text}' is not a regular expression: ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

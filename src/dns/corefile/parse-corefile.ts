import { errorMessage } from '../../base/errors.ts';
import { CorefileError } from './corefile-error.ts';
import { lexCorefile, type Token } from './lexer.ts';

/** `name args { block }` inside a server block. */
export interface Directive {
  readonly name: Token;
  readonly args: readonly Token[];
  /** Absent when there were no braces. */
  readonly block?: readonly Directive[];
}

export interface ServerBlock {
  readonly keys: readonly Token[];
  readonly directives: readonly Directive[];
}

/** What a Corefile may reach outside itself. */
export interface CorefileHost {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Files that match a glob, which is relative to the file that imports; none is not an error. */
  readImports(pattern: string, importedFrom: string): readonly { file: string; text: string }[];
}

/** A Corefile that reaches nothing: no environment and no imports of files. */
export const sealedHost: CorefileHost = { environment: {}, readImports: () => [] };

/** Snippets and files together; a file that imports itself would go on for ever. */
const MAX_IMPORTS = 1000;

/** Reads the syntax: blocks, snippets, imports. What directives mean is for their plugins. */
export function parseCorefile(
  source: { readonly file: string; readonly text: string },
  host: CorefileHost = sealedHost,
): ServerBlock[] {
  const parser = new Parser(lexCorefile(source.text, source.file, host.environment), host);
  return parser.serverBlocks();
}

class Parser {
  readonly #host: CorefileHost;
  readonly #snippets = new Map<string, readonly Token[]>();
  #tokens: Token[];
  #index = 0;
  #imports = 0;

  constructor(tokens: Token[], host: CorefileHost) {
    this.#tokens = tokens;
    this.#host = host;
  }

  serverBlocks(): ServerBlock[] {
    const blocks: ServerBlock[] = [];
    for (let token = this.#peek(); token !== undefined; token = this.#peek()) {
      if (isWord(token, 'import')) this.#expandImport();
      else if (/^\(.+\)$/.test(token.text) && !token.quoted) this.#defineSnippet();
      else blocks.push(this.#serverBlock(blocks.length === 0));
    }
    return blocks;
  }

  #serverBlock(mayOmitBraces: boolean): ServerBlock {
    const keys: Token[] = [];
    for (let token = this.#peek(); token !== undefined; token = this.#peek()) {
      if (isWord(token, '{')) {
        const open = this.#take();
        if (keys.length === 0)
          throw new CorefileError(open, "expected a zone such as '.:53' before '{'");
        return { keys: keys.map(withoutComma), directives: this.#blockBody(open) };
      }
      if (isWord(token, '}')) throw new CorefileError(token, "unexpected '}'");
      if (keys.length > 0 && !this.#continues(keys.at(-1), token)) {
        if (mayOmitBraces) return { keys: keys.map(withoutComma), directives: this.#rest() };
        break;
      }
      keys.push(this.#take());
    }
    const last = keys.at(-1);
    if (last === undefined) return { keys, directives: [] };
    if (mayOmitBraces) return { keys: keys.map(withoutComma), directives: [] };
    throw new CorefileError(last, `expected '{' after the zone '${last.text}'`);
  }

  /** A file with one block may leave its braces out; then everything after the first line is inside. */
  #rest(): Directive[] {
    const directives: Directive[] = [];
    while (this.#peek() !== undefined) this.#directiveInto(directives);
    return directives;
  }

  #blockBody(open: Token): Directive[] {
    const directives: Directive[] = [];
    for (let token = this.#peek(); token !== undefined; token = this.#peek()) {
      if (isWord(token, '}')) {
        this.#take();
        return directives;
      }
      this.#directiveInto(directives);
    }
    throw new CorefileError(open, "expected '}' for this '{' before the end of the file");
  }

  #directiveInto(directives: Directive[]): void {
    const first = this.#peek();
    if (first !== undefined && isWord(first, 'import')) {
      this.#expandImport();
      return;
    }
    const name = this.#take();
    if (isWord(name, '{')) throw new CorefileError(name, "expected a plugin or option before '{'");
    const args: Token[] = [];
    for (let token = this.#peek(); token !== undefined; token = this.#peek()) {
      if (token.line !== name.line || token.file !== name.file) break;
      if (isWord(token, '}')) throw new CorefileError(token, "expected '}' on a line of its own");
      if (isWord(token, '{') && this.#endsLine()) {
        directives.push({ name, args, block: this.#blockBody(this.#take()) });
        return;
      }
      args.push(this.#take());
    }
    directives.push({ name, args });
  }

  #defineSnippet(): void {
    const name = this.#take();
    const open = this.#peek();
    if (open === undefined || !isWord(open, '{'))
      throw new CorefileError(name, `expected '{' after the snippet ${name.text}`);
    this.#take();
    const key = name.text.slice(1, -1);
    if (this.#snippets.has(key))
      throw new CorefileError(name, `redeclaration of the snippet ${name.text}`);
    const body: Token[] = [];
    for (let depth = 1; ; ) {
      const token = this.#peek();
      if (token === undefined) throw new CorefileError(open, "expected '}' for this '{'");
      this.#take();
      if (isWord(token, '{')) depth += 1;
      if (isWord(token, '}')) depth -= 1;
      if (depth === 0) break;
      body.push(token);
    }
    this.#snippets.set(key, body);
  }

  /** Puts the snippet's or the files' tokens in place of the import line. */
  #expandImport(): void {
    const keyword = this.#take();
    const argument = this.#peek();
    if (argument === undefined || argument.line !== keyword.line)
      throw new CorefileError(keyword, 'import needs the name of a snippet or a file pattern');
    this.#take();
    this.#imports += 1;
    if (this.#imports > MAX_IMPORTS)
      throw new CorefileError(keyword, 'imports never end: does a file import itself?');
    const tokens = this.#snippets.get(argument.text) ?? this.#fileTokens(argument);
    this.#tokens = [...tokens, ...this.#tokens.slice(this.#index)];
    this.#index = 0;
  }

  #fileTokens(pattern: Token): Token[] {
    let files: readonly { file: string; text: string }[];
    try {
      files = this.#host.readImports(pattern.text, pattern.file);
    } catch (error) {
      const problem = `cannot import '${pattern.text}': ${errorMessage(error)}`;
      throw new CorefileError(pattern, problem, { cause: error });
    }
    if (files.length === 0 && !/[*?[]/.test(pattern.text))
      throw new CorefileError(
        pattern,
        `no snippet and no file is called '${pattern.text}'; snippets are written '(${pattern.text}) {…}' above their use`,
      );
    return files.flatMap(({ file, text }) => lexCorefile(text, file, this.#host.environment));
  }

  /** Keys go on over a line break only after a comma. */
  #continues(previous: Token | undefined, token: Token): boolean {
    return previous?.line === token.line || previous?.text.endsWith(',') === true;
  }

  #endsLine(): boolean {
    const here = this.#tokens[this.#index];
    const next = this.#tokens[this.#index + 1];
    return next === undefined || next.line !== here?.line || next.file !== here.file;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#index];
  }

  #take(): Token {
    const token = this.#tokens[this.#index];
    if (token === undefined) throw new RangeError('the Corefile has no more tokens');
    this.#index += 1;
    return token;
  }
}

function isWord(token: Token, text: string): boolean {
  return !token.quoted && token.text === text;
}

function withoutComma(token: Token): Token {
  return { ...token, text: token.text.replace(/,$/, '') };
}

import type { Token } from '../../corefile/lexer.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import type { Plugin } from '../../plugin/plugin.ts';
import type { PluginModule } from '../../plugin/setup.ts';
import { cnameStep } from './cname-rule.ts';
import { parseRule, type ParsedRule } from './parse-rule.ts';
import { RewritePlugin } from './rewrite.ts';

export const rewrite: PluginModule = {
  name: 'rewrite',
  setup(directives) {
    const rules = directives.map(ruleOf);
    const plain = new RewritePlugin(
      rules.flatMap((parsed) => (parsed.kind === 'rule' ? parsed.rule : [])),
    );
    const aliases = rules.flatMap((parsed) =>
      parsed.kind === 'cname' ? cnameStep(parsed.change) : [],
    );
    const plugin: Plugin = {
      name: 'rewrite',
      serve: (request, next) => {
        const bottom = aliases.reduceRight<typeof next>(
          (rest, step) => (passed) => step(passed, rest),
          next,
        );
        return plain.serve(request, bottom);
      },
    };
    return { plugin };
  },
};

/** One line, or the same words on the lines of a block. */
function ruleOf({ name, args, block }: Directive): ParsedRule {
  const words: Token[] = [...args, ...(block ?? []).flatMap((line) => [line.name, ...line.args])];
  const mode = words[0]?.text;
  const hasMode = mode === 'continue' || mode === 'stop';
  return parseRule(mode !== 'continue', hasMode ? words.slice(1) : words, name);
}

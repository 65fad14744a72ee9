import { errorMessage } from '../../../base/errors.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Token } from '../../corefile/lexer.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { goPattern } from '../../corefile/go-pattern.ts';
import type { MetricFamilies } from '../../metrics/metric-families.ts';
import { classCode, RecordClass, RecordType, rcodeCode, typeCode } from '../../message/codes.ts';
import {
  fallthroughArgument,
  integerArgument,
  oneArgument,
  unknownOption,
  zoneArguments,
  type PluginModule,
} from '../../plugin/setup.ts';
import { compileGoTemplate, type GoTemplate } from './go-template.ts';
import { TemplatePlugin, type TemplateCounters, type TemplateRule } from './template.ts';

const OPTIONS = [
  'match',
  'answer',
  'additional',
  'authority',
  'rcode',
  'ederror',
  'fallthrough',
  'upstream',
];

export const template: PluginModule = {
  name: 'template',
  setup(directives, { zones, families, server }) {
    const rules = directives.map((directive) => ruleOf(directive, zones));
    return { plugin: new TemplatePlugin(rules, countersFor(families, server)) };
  },
};

function countersFor(families: MetricFamilies, server: string): TemplateCounters {
  const labels = ['server', 'zone', 'view', 'class', 'type'];
  const matches = families.counter(
    'coredns_template_matches_total',
    'Queries a template answered.',
    labels,
  );
  const failures = families.counter(
    'coredns_template_rr_failures_total',
    'Times a template made something that is no record.',
    [...labels, 'section', 'template'],
  );
  return {
    matched: ({ Zone, Class, Type }) => {
      matches.of(server, Zone, '', Class, Type).value += 1;
    },
    failed: ({ Zone, Class, Type }, section, text) => {
      failures.of(server, Zone, '', Class, Type, section, text).value += 1;
    },
  };
}

type Draft = { -readonly [K in keyof TemplateRule]: TemplateRule[K] };

/** `template CLASS TYPE [ZONE...] { ... }`. */
function ruleOf(directive: Directive, blockZones: readonly string[]): TemplateRule {
  const [recordClass, type, ...zones] = directive.args;
  if (recordClass === undefined || type === undefined)
    throw new CorefileError(directive.name, 'template needs a class and a type, e.g. IN A');
  const draft: Draft = {
    class: codeOf(recordClass, classCode, RecordClass.ANY, 'class'),
    type: codeOf(type, typeCode, RecordType.ANY, 'type'),
    zones: zoneArguments(zones, blockZones),
    patterns: [],
    answers: [],
    additionals: [],
    authorities: [],
    rcode: 0,
  };
  for (const option of directive.block ?? []) applyOption(draft, option);
  if (draft.patterns.length === 0) draft.patterns = [/.*/];
  return draft;
}

function applyOption(draft: Draft, option: Directive): void {
  const { name, args } = option;
  switch (name.text) {
    case 'match':
      draft.patterns = [...draft.patterns, ...args.map((token) => goPattern(token))];
      break;
    case 'answer':
      draft.answers = [...draft.answers, ...args.map(templateOf)];
      break;
    case 'additional':
      draft.additionals = [...draft.additionals, ...args.map(templateOf)];
      break;
    case 'authority':
      draft.authorities = [...draft.authorities, ...args.map(templateOf)];
      break;
    case 'rcode': {
      const token = oneArgument(option, 'a response code');
      const rcode = rcodeCode(token.text);
      if (rcode === undefined)
        throw new CorefileError(token, `unknown rcode '${token.text}'; expected e.g. NXDOMAIN`);
      draft.rcode = rcode;
      break;
    }
    case 'ederror': {
      const [code, text] = args;
      if (code === undefined) throw new CorefileError(name, 'ederror needs a code');
      draft.extendedError = {
        code: integerArgument(code, 'ederror', { min: 0, max: 0xffff }),
        text: text?.text ?? '',
      };
      break;
    }
    case 'fallthrough':
      draft.fallthrough = fallthroughArgument(option);
      break;
    case 'upstream':
      // Removed from CoreDNS, ignored there as here.
      break;
    default:
      unknownOption('template', name, OPTIONS);
  }
}

/** ANY stands for all. */
function codeOf(
  token: Token,
  lookup: (name: string) => number | undefined,
  any: number,
  what: string,
): number | undefined {
  const code = lookup(token.text);
  if (code === undefined) throw new CorefileError(token, `invalid RR ${what} '${token.text}'`);
  return code === any ? undefined : code;
}

function templateOf(token: Token): GoTemplate {
  try {
    return compileGoTemplate(token.text);
  } catch (error) {
    throw new CorefileError(token, `could not compile template: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

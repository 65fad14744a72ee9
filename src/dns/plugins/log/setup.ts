import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import { parseZones } from '../../corefile/zone-key.ts';
import { matchingZone } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { unknownOption, type PluginModule } from '../../plugin/setup.ts';
import { COMBINED_FORMAT, COMMON_FORMAT, formatLogLine, type LoggedQuery } from './log-line.ts';
import { classOfReply, type LogClass } from './log-class.ts';

interface LogRule {
  readonly zones: readonly string[];
  readonly format: string;
  /** Empty: all. */
  readonly classes: ReadonlySet<LogClass>;
}

const CLASSES: readonly string[] = ['success', 'denial', 'error', 'all'];

export const log: PluginModule = {
  name: 'log',
  setup(directives, context) {
    const rules = directives.map((directive) => ruleOf(directive, context.zones));
    return { plugin: new LogPlugin(rules, context.clock, context.log) };
  },
};

/** Logs queries in CoreDNS's format. Each is logged, so none is answered from ready replies. */
class LogPlugin implements Plugin {
  readonly name = 'log';
  readonly #rules: readonly LogRule[];
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor(rules: readonly LogRule[], clock: Clock, logger: Logger) {
    this.#rules = rules;
    this.#clock = clock;
    this.#log = logger;
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const outcome = await next(request);
    const rule = this.#rules.find(({ zones }) => matchingZone(zones, request.name) !== undefined);
    if (rule === undefined || outcome.kind === 'drop') return outcome;
    if (rule.classes.size > 0 && !rule.classes.has(classOfReply(outcome))) return outcome;
    const query: LoggedQuery = {
      request,
      outcome,
      durationMs: this.#clock.now() - request.receivedAt,
    };
    this.#log.info(formatLogLine(rule.format, query));
    return outcome;
  }
}

/** `log [NAMES...] [FORMAT] { class CLASSES... }`; a format has braces. */
function ruleOf(directive: Directive, blockZones: readonly string[]): LogRule {
  const formats = directive.args.filter(({ text }) => text.includes('{'));
  const names = directive.args.filter(({ text }) => !text.includes('{'));
  const [format, extra] = formats;
  if (extra !== undefined)
    throw new CorefileError(extra, 'log takes one format; put quotes around it');
  const classes = new Set<LogClass>();
  for (const { name, args } of directive.block ?? []) {
    if (name.text !== 'class') unknownOption('log', name, ['class']);
    for (const word of args) {
      if (!CLASSES.includes(word.text))
        throw new CorefileError(word, `class '${word.text}'; expected ${CLASSES.join(', ')}`);
      if (word.text !== 'all') classes.add(word.text as LogClass);
    }
    if (args.some(({ text }) => text === 'all')) classes.clear();
  }
  return {
    zones: names.length === 0 ? blockZones : names.flatMap((name) => parseZones(name.text, name)),
    format: (format?.text ?? COMMON_FORMAT)
      .replaceAll('{common}', COMMON_FORMAT)
      .replaceAll('{combined}', COMBINED_FORMAT),
    classes,
  };
}

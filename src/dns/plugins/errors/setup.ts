import type { Clock, Timer } from '../../../base/clock.ts';
import type { Logger } from '../../../base/log.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { rcodeCode, typeName } from '../../message/codes.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import {
  durationArgument,
  expectThat,
  once,
  unknownOption,
  type PluginModule,
} from '../../plugin/setup.ts';

type Level = 'error' | 'warn' | 'info' | 'debug';

/** Errors that are told together, once for a period. */
interface Consolidation {
  readonly periodMs: number;
  readonly pattern: RegExp;
  readonly level: Level;
  readonly showFirst: boolean;
}

const LEVELS: Readonly<Record<string, Level>> = {
  error: 'error',
  warning: 'warn',
  info: 'info',
  debug: 'debug',
};

export const errors: PluginModule = {
  name: 'errors',
  setup(directives, { clock, log }) {
    const directive = once(directives);
    const extra = directive.args.find(({ text }) => text !== 'stdout');
    expectThat(extra === undefined, directive.name, 'errors takes no arguments');
    const consolidations = (directive.block ?? []).map(consolidationOf);
    const plugin = new ErrorsPlugin(consolidations, clock, log);
    return {
      plugin,
      close() {
        plugin.flush();
        return Promise.resolve();
      },
    };
  },
};

/** Logs why a chain failed. */
class ErrorsPlugin implements Plugin {
  readonly name = 'errors';
  readonly declaresReuse = true;
  readonly #log: Logger;
  readonly #counters: ConsolidatedCounter[];

  constructor(consolidations: readonly Consolidation[], clock: Clock, log: Logger) {
    this.#log = log;
    this.#counters = consolidations.map(
      (consolidation) => new ConsolidatedCounter(consolidation, clock, log),
    );
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const outcome = await next(request);
    const error = outcome.kind === 'reply' || outcome.kind === 'rcode' ? outcome.error : undefined;
    if (error === undefined) return outcome;
    const text = error.message;
    const counter = this.#counters.find((candidate) => candidate.matches(text));
    if (counter?.count() !== true) this.#log.error(lineFor(request, outcome, text));
    return outcome;
  }

  flush(): void {
    for (const counter of this.#counters) counter.flush();
  }
}

/** `plugin/errors: RCODE name. TYPE: text`, as CoreDNS prints it. */
function lineFor(request: DnsRequest, outcome: Outcome, text: string): string {
  const rcode = outcome.kind === 'rcode' ? outcome.rcode : rcodeCode('NOERROR');
  const { name, type } = request.question;
  return `plugin/errors: ${rcode} ${name} ${typeName(type)}: ${text}`;
}

class ConsolidatedCounter {
  readonly #rule: Consolidation;
  readonly #clock: Clock;
  readonly #log: Logger;
  #count = 0;
  #timer: Timer | undefined;

  constructor(rule: Consolidation, clock: Clock, log: Logger) {
    this.#rule = rule;
    this.#clock = clock;
    this.#log = log;
  }

  matches(text: string): boolean {
    return this.#rule.pattern.test(text);
  }

  /** True when the error need not be logged by itself. */
  count(): boolean {
    this.#count += 1;
    this.#timer ??= this.#clock.setTimer(this.#rule.periodMs, () => this.flush());
    return !(this.#rule.showFirst && this.#count === 1);
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#count === 0) return;
    const { pattern, periodMs, level } = this.#rule;
    this.#log[level](
      `plugin/errors: ${this.#count} errors like '${pattern.source}' occurred in last ${periodMs / 1000}s`,
    );
    this.#count = 0;
  }
}

function consolidationOf(option: Directive): Consolidation {
  const { name, args } = option;
  if (name.text !== 'consolidate') unknownOption('errors', name, ['consolidate']);
  const [period, pattern, ...rest] = args;
  if (period === undefined || pattern === undefined)
    throw new CorefileError(name, 'consolidate needs a duration and a regular expression');
  const words = rest.map(({ text }) => text);
  const level = LEVELS[words.find((word) => word !== 'show_first') ?? 'error'];
  if (level === undefined)
    throw new CorefileError(name, `expected a level: ${Object.keys(LEVELS).join(', ')}`);
  return {
    periodMs: durationArgument(period, 'consolidate'),
    pattern: patternOf(pattern),
    level,
    showFirst: words.includes('show_first'),
  };
}

function patternOf(token: { text: string; file: string; line: number }): RegExp {
  try {
    return new RegExp(token.text);
  } catch (error) {
    throw new CorefileError(token, `'${token.text}' is not a regular expression`, { cause: error });
  }
}

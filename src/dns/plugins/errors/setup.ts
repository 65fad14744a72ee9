import type { Clock, Timer } from '../../../base/clock.ts';
import { formatGoDuration } from '../../../base/go-duration.ts';
import type { Logger } from '../../../base/log.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import { goPattern } from '../../corefile/go-pattern.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { rcodeCode, typeName } from '../../message/codes.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import {
  durationArgument,
  expectThat,
  noArguments,
  once,
  unknownOption,
  type PluginModule,
} from '../../plugin/setup.ts';

type Level = 'error' | 'warn' | 'info' | 'debug';

/** Errors that are told together, once for a period. */
interface Consolidation {
  readonly periodMs: number;
  readonly pattern: RegExp;
  /** As it was written. */
  readonly patternText: string;
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
    const consolidations: Consolidation[] = [];
    let stackTrace = false;
    for (const option of directive.block ?? []) {
      if (option.name.text === 'stacktrace') {
        noArguments(option);
        stackTrace = true;
      } else consolidations.push(consolidationOf(option));
    }
    const plugin = new ErrorsPlugin({ consolidations, stackTrace }, clock, log);
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
  readonly #stackTrace: boolean;

  constructor(
    options: { readonly consolidations: readonly Consolidation[]; readonly stackTrace: boolean },
    clock: Clock,
    log: Logger,
  ) {
    this.#log = log;
    this.#stackTrace = options.stackTrace;
    this.#counters = options.consolidations.map(
      (consolidation) => new ConsolidatedCounter(consolidation, clock, log),
    );
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const outcome = await next(request);
    const error = outcome.kind === 'reply' || outcome.kind === 'rcode' ? outcome.error : undefined;
    if (error === undefined) return outcome;
    const text = error.message;
    const counter = this.#counters.find((candidate) => candidate.matches(text));
    if (counter?.count() === true) return outcome;
    const line = lineFor(request, outcome, text);
    this.#log.error(this.#stackTrace ? `${line}\n${error.stack ?? ''}` : line);
    return outcome;
  }

  flush(): void {
    for (const counter of this.#counters) counter.flush();
  }
}

/** `plugin/errors: RCODE name. TYPE: text`, as CoreDNS prints it. */
function lineFor(request: DnsRequest, outcome: Outcome, text: string): string {
  const rcode = outcome.kind === 'rcode' ? outcome.rcode : rcodeCode('NOERROR');
  return `plugin/errors: ${rcode} ${request.name} ${typeName(request.question.type)}: ${text}`;
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
    const { patternText, periodMs, level } = this.#rule;
    this.#log[level](
      `plugin/errors: ${this.#count} errors like '${patternText}' occurred in last ${formatGoDuration(periodMs)}`,
    );
    this.#count = 0;
  }
}

function consolidationOf(option: Directive): Consolidation {
  const { name, args } = option;
  if (name.text !== 'consolidate') unknownOption('errors', name, ['consolidate', 'stacktrace']);
  const [period, pattern, ...rest] = args;
  if (period === undefined || pattern === undefined)
    throw new CorefileError(name, 'consolidate needs a duration and a regular expression');
  const words = rest.map(({ text }) => text);
  const level = LEVELS[words.find((word) => word !== 'show_first') ?? 'error'];
  if (level === undefined)
    throw new CorefileError(name, `expected a level: ${Object.keys(LEVELS).join(', ')}`);
  return {
    periodMs: durationArgument(period, 'consolidate'),
    pattern: goPattern(pattern),
    patternText: pattern.text,
    level,
    showFirst: words.includes('show_first'),
  };
}

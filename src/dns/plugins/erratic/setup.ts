import { sleep, type Clock } from '../../../base/clock.ts';
import { RecordType } from '../../message/codes.ts';
import { addressRecord, replyTo, type ResourceRecord } from '../../message/message.ts';
import type { DnsRequest, Outcome, Plugin } from '../../plugin/plugin.ts';
import {
  durationArgument,
  integerArgument,
  once,
  unknownOption,
  type PluginModule,
} from '../../plugin/setup.ts';

/** Every n-th query; 0 never. */
interface ErraticOptions {
  readonly drop: number;
  readonly truncate: number;
  readonly delay: number;
  readonly delayMs: number;
  readonly large: boolean;
}

const DEFAULT_EVERY = 2;
const DEFAULT_DELAY_MS = 100;
const LARGE_ANSWERS = 1000;

export const erratic: PluginModule = {
  name: 'erratic',
  setup(directives, { clock }) {
    const directive = once(directives);
    const options = { drop: 0, truncate: 0, delay: 0, delayMs: DEFAULT_DELAY_MS, large: false };
    for (const { name, args } of directive.block ?? []) {
      const [amount, duration] = args;
      const every =
        amount === undefined
          ? DEFAULT_EVERY
          : integerArgument(amount, name.text, { min: 0, max: 1_000_000 });
      if (name.text === 'drop') options.drop = every;
      else if (name.text === 'truncate') options.truncate = every;
      else if (name.text === 'large') options.large = true;
      else if (name.text === 'delay') {
        options.delay = every;
        if (duration !== undefined) options.delayMs = durationArgument(duration, 'delay');
      } else unknownOption('erratic', name, ['drop', 'truncate', 'delay', 'large']);
    }
    if (directive.block === undefined) options.drop = DEFAULT_EVERY;
    return { plugin: new ErraticPlugin(options, clock) };
  },
};

/** Answers badly on purpose, for testing clients (plugin/erratic). */
class ErraticPlugin implements Plugin {
  readonly name = 'erratic';
  readonly #options: ErraticOptions;
  readonly #clock: Clock;
  #queries = 0;

  constructor(options: ErraticOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  async serve(request: DnsRequest): Promise<Outcome> {
    const { drop, truncate, delay, delayMs, large } = this.#options;
    const turn = this.#queries;
    this.#queries += 1;
    const isTurn = (every: number): boolean => every > 0 && turn % every === 0;
    if (isTurn(drop)) return { kind: 'drop' };
    if (isTurn(delay)) await sleep(this.#clock, delayMs);
    const answer = answerFor(request);
    const answers =
      answer === undefined
        ? []
        : large
          ? Array.from({ length: LARGE_ANSWERS }, () => answer)
          : [answer];
    const message = replyTo(request.message, {
      authoritative: true,
      truncated: isTurn(truncate),
      answers,
    });
    return { kind: 'reply', message, plugin: this.name };
  }
}

function answerFor({ question }: DnsRequest): ResourceRecord | undefined {
  if (question.type === RecordType.A) return addressRecord(question.name, 0, '192.0.2.53');
  if (question.type === RecordType.AAAA) return addressRecord(question.name, 0, '2001:db8::53');
  return undefined;
}

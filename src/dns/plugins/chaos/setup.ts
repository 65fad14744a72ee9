import { hostname } from 'node:os';
import { RecordClass, RecordType } from '../../message/codes.ts';
import { replyTo, type DnsMessage } from '../../message/message.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { once, type PluginModule } from '../../plugin/setup.ts';

const DEFAULT_VERSION = 'podwire';
const DEFAULT_AUTHORS = ['podwire'];

export const chaos: PluginModule = {
  name: 'chaos',
  setup(directives) {
    const [version, ...authors] = once(directives).args.map(({ text }) => text);
    const texts = {
      version: version ?? DEFAULT_VERSION,
      authors: authors.length > 0 ? authors : DEFAULT_AUTHORS,
    };
    return { plugin: new ChaosPlugin(texts) };
  },
};

interface ChaosTexts {
  readonly version: string;
  readonly authors: readonly string[];
}

/** Answers TXT questions about the server itself in class CH (plugin/chaos). */
class ChaosPlugin implements Plugin {
  readonly name = 'chaos';
  readonly declaresReuse = true;
  readonly #texts: ChaosTexts;

  constructor(texts: ChaosTexts) {
    this.#texts = texts;
  }

  serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const { question, name } = request;
    if (question.class !== RecordClass.CH || question.type !== RecordType.TXT) return next(request);
    const texts = this.#answerFor(name);
    if (texts === undefined) return next(request);
    const message: DnsMessage = replyTo(request.message, {
      answers: texts.map((text) => ({
        name: question.name,
        type: RecordType.TXT,
        class: RecordClass.CH,
        ttlSeconds: 0,
        data: { kind: 'text', strings: [text] },
      })),
    });
    return Promise.resolve({ kind: 'reply', message, plugin: this.name });
  }

  #answerFor(name: string): readonly string[] | undefined {
    switch (name) {
      case 'authors.bind.':
        return this.#texts.authors;
      case 'version.bind.':
      case 'version.server.':
        return [this.#texts.version];
      case 'hostname.bind.':
      case 'id.server.':
        return [hostname()];
      default:
        return undefined;
    }
  }
}

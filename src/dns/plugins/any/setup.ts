import { RecordType } from '../../message/codes.ts';
import { replyTo, resourceRecord } from '../../message/message.ts';
import type { Plugin } from '../../plugin/plugin.ts';
import { noArguments, once, type PluginModule } from '../../plugin/setup.ts';

const TTL_SECONDS = 8482;
/** HINFO's two character strings, RFC 8482 §4.2. */
const OBSOLETED = hinfo('ANY obsoleted', 'See RFC 8482');

const plugin: Plugin = {
  name: 'any',
  declaresReuse: true,
  serve(request, next) {
    if (request.question.type !== RecordType.ANY) return next(request);
    request.reuse.allow();
    const answer = resourceRecord(request.question.name, RecordType.HINFO, TTL_SECONDS, OBSOLETED);
    const message = replyTo(request.message, { answers: [answer] });
    return Promise.resolve({ kind: 'reply', message, plugin: 'any' });
  },
};

export const any: PluginModule = {
  name: 'any',
  setup(directives) {
    noArguments(once(directives));
    return { plugin };
  },
};

function hinfo(cpu: string, os: string): { kind: 'raw'; bytes: Buffer } {
  const strings = [cpu, os].map((text) => Buffer.from(text, 'latin1'));
  return {
    kind: 'raw',
    bytes: Buffer.concat(strings.flatMap((text) => [Buffer.from([text.length]), text])),
  };
}

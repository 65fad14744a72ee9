import { hostname } from 'node:os';
import { EdnsOptionCode, type EdnsOption } from '../../message/message.ts';
import type { Plugin } from '../../plugin/plugin.ts';
import { once, type PluginModule } from '../../plugin/setup.ts';

export const nsid: PluginModule = {
  name: 'nsid',
  setup(directives) {
    const words = once(directives).args.map(({ text }) => text);
    const identifier = Buffer.from(words.length === 0 ? hostname() : words.join(' '), 'utf8');
    const own: EdnsOption = { code: EdnsOptionCode.NSID, data: identifier };
    /** Names this server to clients that ask (RFC 5001). */
    const plugin: Plugin = {
      name: 'nsid',
      declaresReuse: true,
      async serve(request, next) {
        const asked = request.message.edns;
        const wanted = asked?.options.some(({ code }) => code === EdnsOptionCode.NSID) ?? false;
        const outcome = await next(request);
        if (asked === undefined || !wanted || outcome.kind !== 'reply') return outcome;
        const others = (outcome.message.edns ?? asked).options.filter(
          ({ code }) => code !== EdnsOptionCode.NSID,
        );
        const edns = { ...asked, options: [...others, own] };
        return { ...outcome, message: { ...outcome.message, edns } };
      },
    };
    return { plugin };
  },
};

import type { Plugin } from '../../plugin/plugin.ts';
import { noArguments, once, type PluginModule } from '../../plugin/setup.ts';

/** Leaves authority and additional out of positive replies; referrals and denials need them. */
const plugin: Plugin = {
  name: 'minimal',
  declaresReuse: true,
  async serve(request, next) {
    const outcome = await next(request);
    if (outcome.kind !== 'reply') return outcome;
    const { message } = outcome;
    if (message.rcode !== 0 || message.answers.length === 0) return outcome;
    return { ...outcome, message: { ...message, authorities: [], additionals: [] } };
  },
};

export const minimal: PluginModule = {
  name: 'minimal',
  setup(directives) {
    noArguments(once(directives));
    return { plugin };
  },
};

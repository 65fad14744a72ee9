import { noArguments, once, type PluginModule } from '../../plugin/setup.ts';

export const debug: PluginModule = {
  name: 'debug',
  setup(directives) {
    noArguments(once(directives));
    return { traces: true };
  },
};

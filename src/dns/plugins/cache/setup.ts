import { once, type PluginModule } from '../../plugin/setup.ts';
import { CachePlugin } from './cache.ts';
import { parseCacheOptions } from './options.ts';

export const cache: PluginModule = {
  name: 'cache',
  setup(directives, { clock, random, families, zones }) {
    const options = parseCacheOptions(once(directives), zones);
    const plugin = new CachePlugin(options, { clock, random: random.fork('cache'), families });
    return { plugin };
  },
};

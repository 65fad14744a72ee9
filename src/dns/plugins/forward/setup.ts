import type { Plugin } from '../../plugin/plugin.ts';
import type { PluginModule } from '../../plugin/setup.ts';
import { ForwardPlugin } from './forward.ts';
import { parseForwardOptions } from './options.ts';
import { Upstream } from './upstream.ts';

export const forward: PluginModule = {
  name: 'forward',
  async setup(directives, { clock, random, families, files, upstreamFailure }) {
    const services = { clock, random: random.fork('forward'), families, upstreamFailure };
    const upstreams: Upstream[] = [];
    const plugins: Plugin[] = [];
    for (const [index, directive] of directives.entries()) {
      const options = await parseForwardOptions(directive, files);
      const own = options.to.map((to) => new Upstream(to, options, services));
      upstreams.push(...own);
      const isFollowed = index < directives.length - 1;
      plugins.push(new ForwardPlugin(options, own, { ...services, isFollowed }));
    }
    return {
      plugin: chained(plugins),
      close() {
        for (const upstream of upstreams) upstream.close();
        return Promise.resolve();
      },
    };
  },
};

/** Several forwards in one block follow each other. */
function chained(plugins: readonly Plugin[]): Plugin {
  return {
    name: 'forward',
    serve: (request, next) =>
      plugins.reduceRight<typeof next>(
        (rest, plugin) => (passed) => plugin.serve(passed, rest),
        next,
      )(request),
  };
}

import { matchingZone } from '../../message/name.ts';
import type { Plugin } from '../../plugin/plugin.ts';
import { once, zoneArguments, type PluginModule } from '../../plugin/setup.ts';

export const metadata: PluginModule = {
  name: 'metadata',
  setup(directives, context) {
    const zones = zoneArguments(once(directives).args, context.zones);
    /** Lets the other plugins of the block describe the query before it is answered. */
    const plugin: Plugin = {
      name: 'metadata',
      declaresReuse: true,
      serve(request, next) {
        if (matchingZone(zones, request.name) !== undefined)
          for (const { instance } of context.siblings()) instance.describe?.(request);
        return next(request);
      },
    };
    return { plugin };
  },
};

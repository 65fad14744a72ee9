import {
  fallthroughArgument,
  integerArgument,
  noArguments,
  once,
  oneArgument,
  unknownOption,
  zoneArguments,
  type Fallthrough,
  type PluginModule,
} from '../../plugin/setup.ts';
import { K8sExternalPlugin } from './k8s-external.ts';

const DEFAULT_TTL_SECONDS = 5;
const DEFAULT_APEX = 'dns';

export const k8sExternal: PluginModule = {
  name: 'k8s_external',
  setup(directives, context) {
    const directive = once(directives);
    let ttlSeconds = DEFAULT_TTL_SECONDS;
    let apex = DEFAULT_APEX;
    let headless = false;
    let fallthrough: Fallthrough | undefined;
    for (const option of directive.block ?? []) {
      const { text } = option.name;
      if (text === 'ttl')
        ttlSeconds = integerArgument(oneArgument(option, 'seconds'), 'ttl', { min: 0, max: 3600 });
      else if (text === 'apex') apex = oneArgument(option, 'a label').text;
      else if (text === 'headless') {
        noArguments(option);
        headless = true;
      } else if (text === 'fallthrough') fallthrough = fallthroughArgument(option);
      else unknownOption('k8s_external', option.name, ['ttl', 'apex', 'headless', 'fallthrough']);
    }
    const zones = zoneArguments(directive.args, context.zones);
    const { siblings, localAddresses } = context;
    const options = { zones, ttlSeconds, apex, headless, fallthrough, localAddresses };
    const plugin = new K8sExternalPlugin(
      options,
      () => siblings().find(({ name }) => name === 'kubernetes')?.instance.external,
    );
    return { plugin, transferer: { zones, transfer: (zone) => plugin.transfer(zone) } };
  },
};

import { CorefileError } from '../../corefile/corefile-error.ts';
import { expectThat, once, unknownOption, type PluginModule } from '../../plugin/setup.ts';

const DEFAULT_ADDRESS = ':8181';

export const ready: PluginModule = {
  name: 'ready',
  setup(directives, { http, everyone }) {
    const directive = once(directives);
    const address = directive.args[0]?.text ?? DEFAULT_ADDRESS;
    expectThat(
      /:\d+$/.test(address) && directive.args.length < 2,
      directive.name,
      `ready '${address}'; expected at most one ADDRESS:PORT, e.g. :8181`,
    );
    let continuously = false;
    for (const { name, args } of directive.block ?? []) {
      if (name.text !== 'monitor') unknownOption('ready', name, ['monitor']);
      const mode = args[0]?.text;
      if (mode !== 'until-ready' && mode !== 'continuously')
        throw new CorefileError(name, "monitor: expected 'until-ready' or 'continuously'");
      continuously = mode === 'continuously';
    }
    const wasReady = new Set<object>();
    /** Plugins that are not ready; one that was once is not asked again unless told so. */
    const notReady = (): string[] =>
      everyone().flatMap(({ name, instance }) => {
        if (instance.ready === undefined || wasReady.has(instance)) return [];
        if (!instance.ready()) return [name];
        if (!continuously) wasReady.add(instance);
        return [];
      });
    let serving: { stop(): Promise<void> } | undefined;
    return {
      async start() {
        serving = await http.serve(address, '/ready', () => {
          const waiting = notReady();
          return waiting.length === 0
            ? { status: 200, body: 'OK' }
            : { status: 503, body: [...new Set(waiting)].toSorted().join(',') };
        });
      },
      /** Whoever asks is refused from now on, so that clients are sent elsewhere while queries are still answered. */
      async drain() {
        await serving?.stop();
        serving = undefined;
      },
      async close() {
        await serving?.stop();
      },
    };
  },
};

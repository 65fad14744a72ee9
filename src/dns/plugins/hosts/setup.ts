import type { Timer } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import {
  durationArgument,
  fallthroughArgument,
  integerArgument,
  noArguments,
  once,
  oneArgument,
  zoneArguments,
  type Fallthrough,
  type PluginModule,
} from '../../plugin/setup.ts';
import { HostsPlugin } from './hosts.ts';
import { parseHosts } from './hosts-file.ts';

const DEFAULT_FILE = '/etc/hosts';
const DEFAULT_TTL_SECONDS = 3600;
const DEFAULT_RELOAD_MS = 5000;

export const hosts: PluginModule = {
  name: 'hosts',
  async setup(directives, { zones: blockZones, clock, files, families, log }) {
    const directive = once(directives);
    const [file, ...zoneTokens] = directive.args;
    let ttlSeconds = DEFAULT_TTL_SECONDS;
    let reverse = true;
    let reloadMs = DEFAULT_RELOAD_MS;
    let fallthrough: Fallthrough | undefined;
    const inline: string[] = [];
    for (const option of directive.block ?? []) {
      const { text } = option.name;
      if (text === 'ttl')
        ttlSeconds = integerArgument(oneArgument(option, 'seconds'), 'ttl', {
          min: 1,
          max: 65_535,
        });
      else if (text === 'no_reverse') {
        noArguments(option);
        reverse = false;
      } else if (text === 'reload')
        reloadMs = durationArgument(oneArgument(option, 'a duration'), 'reload');
      else if (text === 'fallthrough') fallthrough = fallthroughArgument(option);
      else inline.push([option.name, ...option.args].map((token) => token.text).join(' '));
    }
    for (const [index, line] of inline.entries())
      if (parseHosts(line).size === 0)
        throw new CorefileError(
          directive.block?.[index]?.name ?? directive.name,
          `plugin/hosts: '${line}' is neither an option nor 'ADDRESS NAME...'`,
        );
    const zones = zoneArguments(zoneTokens, blockZones);
    const plugin = new HostsPlugin({ zones, ttlSeconds, reverse, fallthrough });
    const entries = families.gauge('coredns_hosts_entries', 'Entries of hosts files.').of();
    const loadedAt = families
      .gauge('coredns_hosts_reload_timestamp_seconds', 'When the hosts file was last read.')
      .of();
    const path = file?.text ?? DEFAULT_FILE;
    let loaded: string | undefined;
    let timer: Timer | undefined;

    const load = async (): Promise<void> => {
      const text = await files.read(path).catch((error: unknown) => {
        // Without a file of its own the inline entries are all there is to serve.
        if (loaded === undefined && file !== undefined)
          log.warn(`plugin/hosts: ${errorMessage(error)}`);
        return '';
      });
      if (text === loaded) return;
      loaded = text;
      entries.value = plugin.replace(parseHosts([text, ...inline].join('\n')));
      loadedAt.value = clock.wallNow() / 1000;
    };
    const schedule = (): void => {
      if (reloadMs <= 0) return;
      timer = clock.setTimer(reloadMs, () => void load().then(schedule));
    };
    await load();
    return {
      plugin,
      start() {
        schedule();
        return Promise.resolve();
      },
      close() {
        reloadMs = 0;
        timer?.cancel();
        return Promise.resolve();
      },
    };
  },
};

import { createHash } from 'node:crypto';
import type { Timer } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import { durationArgument, once, type PluginModule } from '../../plugin/setup.ts';

const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_JITTER_MS = 15_000;
const MIN_INTERVAL_MS = 2000;
const MIN_JITTER_MS = 1000;

export const reload: PluginModule = {
  name: 'reload',
  setup(directives, { clock, random, log, families, readCorefile, apply }) {
    const { name, args } = once(directives);
    const [interval, jitter, extra] = args;
    if (extra !== undefined) throw new CorefileError(extra, 'reload takes INTERVAL and JITTER');
    const intervalMs =
      interval === undefined ? DEFAULT_INTERVAL_MS : durationArgument(interval, 'interval');
    const wantedJitterMs =
      jitter === undefined ? DEFAULT_JITTER_MS : durationArgument(jitter, 'jitter');
    if (intervalMs < MIN_INTERVAL_MS)
      throw new CorefileError(interval ?? name, 'reload: expected an interval of at least 2s');
    if (jitter !== undefined && wantedJitterMs < MIN_JITTER_MS)
      throw new CorefileError(jitter, 'reload: expected a jitter of at least 1s');
    const jitterMs = Math.min(wantedJitterMs, intervalMs / 2);
    const chance = random.fork('reload');
    const failed = families
      .counter('coredns_reload_failed_total', 'Corefiles that could not be put in force.')
      .of();
    const versions = families.gauge('coredns_reload_version_info', 'The Corefile in force.', [
      'hash',
      'value',
    ]);
    let timer: Timer | undefined;
    let current: string | undefined;
    let closed = false;

    const check = async (): Promise<void> => {
      try {
        const text = (await readCorefile?.()) ?? '';
        const hash = hashOf(text);
        if (current === undefined || hash === current || closed) {
          current ??= hash;
          versions.of('sha512', current).value = 1;
        } else {
          current = hash;
          log.info('plugin/reload: Reloading');
          await apply(text);
          log.info('plugin/reload: Reloading complete');
        }
      } catch (error) {
        failed.value += 1;
        log.error(`plugin/reload: Corefile changed but reload failed: ${errorMessage(error)}`);
      }
      schedule();
    };
    const schedule = (): void => {
      if (closed) return;
      const delayMs = intervalMs - jitterMs + chance.float() * 2 * jitterMs;
      timer = clock.setTimer(delayMs, () => void check());
    };

    return {
      async start() {
        if (readCorefile === undefined) return;
        const text = await readCorefile();
        current = hashOf(text);
        versions.of('sha512', current).value = 1;
        log.info(`plugin/reload: Running configuration SHA512 = ${current}`);
        schedule();
      },
      close() {
        closed = true;
        timer?.cancel();
        if (current !== undefined) versions.of('sha512', current).value = 0;
        return Promise.resolve();
      },
    };
  },
};

function hashOf(text: string): string {
  return createHash('sha512').update(text).digest('hex');
}

import type { Timer } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { parseZoneFile } from '../../message/zone-file.ts';
import {
  durationArgument,
  fallthroughArgument,
  oneArgument,
  unknownOption,
  zoneArguments,
  type Fallthrough,
  type PluginModule,
  type SetupContext,
} from '../../plugin/setup.ts';
import { FilePlugin, type ServedZone } from './file.ts';
import { Zone } from './zone.ts';

const DEFAULT_RELOAD_MS = 60_000;

export const file: PluginModule = {
  name: 'file',
  async setup(directives, context) {
    const zones: ReloadingZone[] = [];
    for (const directive of directives) zones.push(...(await zonesOf(directive, context)));
    const plugin = new FilePlugin(zones);
    return {
      plugin,
      transferer: plugin,
      start() {
        for (const zone of zones) zone.start();
        return Promise.resolve();
      },
      close() {
        for (const zone of zones) zone.stop();
        return Promise.resolve();
      },
    };
  },
};

/** `file DBFILE [ZONES...] { reload DURATION; fallthrough [ZONES...] }`. */
async function zonesOf(directive: Directive, context: SetupContext): Promise<ReloadingZone[]> {
  const [path, ...zoneTokens] = directive.args;
  if (path === undefined) throw new CorefileError(directive.name, 'file needs a zone file');
  let reloadMs = DEFAULT_RELOAD_MS;
  let fallthrough: Fallthrough | undefined;
  for (const option of directive.block ?? []) {
    const { text } = option.name;
    if (text === 'reload') reloadMs = durationArgument(oneArgument(option, 'a duration'), 'reload');
    else if (text === 'fallthrough') fallthrough = fallthroughArgument(option);
    else if (text !== 'upstream') unknownOption('file', option.name, ['reload', 'fallthrough']);
  }
  const zones: ReloadingZone[] = [];
  for (const origin of zoneArguments(zoneTokens, context.zones)) {
    const zone = new ReloadingZone({ path: path.text, origin, reloadMs, fallthrough }, context);
    try {
      await zone.load();
    } catch (error) {
      throw new CorefileError(path, `plugin/file: ${errorMessage(error)}`, { cause: error });
    }
    zones.push(zone);
  }
  return zones;
}

interface ZoneSource {
  readonly path: string;
  readonly origin: string;
  readonly reloadMs: number;
  readonly fallthrough: Fallthrough | undefined;
}

/** A zone that follows its file: another serial puts another version in force. Owns one timer. */
class ReloadingZone implements ServedZone {
  readonly origin: string;
  readonly fallthrough: Fallthrough | undefined;
  readonly #source: ZoneSource;
  readonly #context: SetupContext;
  #zone: Zone | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(source: ZoneSource, context: SetupContext) {
    this.origin = source.origin;
    this.fallthrough = source.fallthrough;
    this.#source = source;
    this.#context = context;
  }

  get zone(): Zone | undefined {
    return this.#zone;
  }

  async load(): Promise<void> {
    const { path, origin } = this.#source;
    const { files } = this.#context;
    const text = await files.read(path);
    const records = await parseZoneFile({ text, file: path }, origin, (other) => files.read(other));
    const zone = new Zone(origin, records);
    if (this.#zone?.serial === zone.serial) return;
    this.#zone = zone;
  }

  start(): void {
    const { reloadMs } = this.#source;
    if (reloadMs <= 0 || this.#stopped) return;
    this.#timer = this.#context.clock.setTimer(reloadMs, () => void this.#reload());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #reload(): Promise<void> {
    try {
      await this.load();
    } catch (error) {
      this.#context.log.error(`plugin/file: ${errorMessage(error)}`);
    }
    this.start();
  }
}

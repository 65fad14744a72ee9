import { sleep } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import { Rcode, RecordType } from '../../message/codes.ts';
import { isReverseName, joinName } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { noArguments, once, type PluginModule } from '../../plugin/setup.ts';

/** Seen more often than this, the probe is going in circles. */
const MAX_SEEN = 2;
const GIVE_UP_AFTER_MS = 30_000;
const RETRY_MS = 1000;
/** How long an answered probe may still come round. */
const WATCH_MS = 2000;

export const loop: PluginModule = {
  name: 'loop',
  setup(directives, { clock, random, log, resolve, onFatal, zones, server }) {
    noArguments(once(directives));
    const zone = zones.find((candidate) => !isReverseName(candidate)) ?? '.';
    const chance = random.fork('loop');
    const label = (): string => String(chance.uint32()).padStart(10, '0');
    const probe = joinName(`${label()}.${label()}`, zone);
    const stop = new AbortController();
    const plugin = new LoopPlugin(probe, () => {
      const error = new Error(
        `Loop (127.0.0.1 -> ${server}) detected for zone "${zone}", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ${probe}"`,
      );
      log.fatal(`plugin/loop: ${error.message}`);
      onFatal?.(error);
    });
    const run = async (): Promise<void> => {
      const deadline = clock.now() + GIVE_UP_AFTER_MS;
      while (clock.now() < deadline) {
        const reply = await resolve(probe, RecordType.HINFO);
        // Not seen: this Corefile is not in force yet.
        if (reply.rcode !== Rcode.SERVFAIL && plugin.seen > 0) break;
        await sleep(clock, RETRY_MS, stop.signal);
      }
      await sleep(clock, WATCH_MS, stop.signal);
      plugin.disable();
    };
    return {
      plugin,
      start() {
        run().catch((error: unknown) => {
          if (!stop.signal.aborted) log.warn(`plugin/loop: ${errorMessage(error)}`);
        });
        return Promise.resolve();
      },
      close() {
        stop.abort(new Error('plugin/loop stopped'));
        return Promise.resolve();
      },
    };
  },
};

const LOOPING: Outcome = {
  kind: 'rcode',
  rcode: Rcode.SERVFAIL,
  error: new Error('queries are forwarded in a loop'),
};

/** Counts how often the probe comes by; a forwarding loop brings it back. */
class LoopPlugin implements Plugin {
  readonly name = 'loop';
  readonly declaresReuse = true;
  readonly #probe: string;
  readonly #onLoop: () => void;
  #seen = 0;
  #state: 'watching' | 'quiet' | 'looping' = 'watching';

  constructor(probe: string, onLoop: () => void) {
    this.#probe = probe;
    this.#onLoop = onLoop;
  }

  serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    if (
      this.#state === 'watching' &&
      request.question.type === RecordType.HINFO &&
      request.name === this.#probe
    ) {
      this.#seen += 1;
      if (this.#seen > MAX_SEEN) {
        this.#state = 'looping';
        this.#onLoop();
      }
    }
    // Whatever went on from here would come back, again and again.
    if (this.#state === 'looping') return Promise.resolve(LOOPING);
    return next(request);
  }

  get seen(): number {
    return this.#seen;
  }

  disable(): void {
    if (this.#state === 'watching') this.#state = 'quiet';
  }
}

import { get } from 'node:http';
import { sleep, type Clock, type Timer } from '../../../base/clock.ts';
import {
  durationArgument,
  expectThat,
  once,
  oneArgument,
  unknownOption,
  type PluginModule,
} from '../../plugin/setup.ts';

const DEFAULT_ADDRESS = ':8080';
const PROBE_INTERVAL_MS = 1000;
const PROBE_TIMEOUT_MS = 3000;
/** 0.25 ms, ten times as much each: slow answers mean an overloaded process. Seconds. */
const DURATION_BOUNDS = [0.000_25, 0.0025, 0.025, 0.25, 2.5];

export const health: PluginModule = {
  name: 'health',
  setup(directives, { clock, log, http, families }) {
    const directive = once(directives);
    const address = directive.args[0]?.text ?? DEFAULT_ADDRESS;
    expectThat(
      /:\d+$/.test(address) && directive.args.length < 2,
      directive.name,
      `health '${address}'; expected at most one ADDRESS:PORT, e.g. :8080`,
    );
    let lameduckMs = 0;
    for (const option of directive.block ?? []) {
      if (option.name.text !== 'lameduck') unknownOption('health', option.name, ['lameduck']);
      lameduckMs = durationArgument(oneArgument(option, 'a duration'), 'lameduck');
    }
    const durations = families
      .histogram(
        'coredns_health_request_duration_seconds',
        'Time the /health endpoint took to answer itself, in seconds.',
        [],
        DURATION_BOUNDS,
      )
      .of();
    const failures = families
      .counter('coredns_health_request_failures_total', 'Times /health did not answer itself.')
      .of();
    let serving: { readonly port: number; stop(): Promise<void> } | undefined;
    let probes: SelfProbe | undefined;
    const closing = new AbortController();
    return {
      async start() {
        serving = await http.serve(address, '/health', () => ({ status: 200, body: 'OK' }));
        const { port } = serving;
        const url = `http://${http.hostFor(address)}:${port}/health`;
        probes = new SelfProbe(url, clock, (outcome) => {
          if (outcome.ok) durations.observe(outcome.durationMs / 1000);
          else failures.value += 1;
        });
      },
      async drain() {
        if (lameduckMs === 0) return;
        log.info(`plugin/health: Going into lameduck mode for ${lameduckMs / 1000}s`);
        // Whoever closes meanwhile does not want to wait for the rest.
        await sleep(clock, lameduckMs, closing.signal).catch(() => undefined);
      },
      async close() {
        closing.abort();
        probes?.stop();
        await serving?.stop();
      },
    };
  },
};

interface ProbeOutcome {
  readonly ok: boolean;
  readonly durationMs: number;
}

/** Asks the endpoint every second how long it takes to answer. Owns one timer. */
class SelfProbe {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #report: (outcome: ProbeOutcome) => void;
  #timer: Timer;
  #stopped = false;

  constructor(url: string, clock: Clock, report: (outcome: ProbeOutcome) => void) {
    this.#url = url;
    this.#clock = clock;
    this.#report = report;
    this.#timer = this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer.cancel();
  }

  #schedule(): Timer {
    return this.#clock.setTimer(PROBE_INTERVAL_MS, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    const startedAt = this.#clock.now();
    const ok = await succeeds(this.#url);
    if (this.#stopped) return;
    this.#report({ ok, durationMs: this.#clock.now() - startedAt });
    this.#timer = this.#schedule();
  }
}

function succeeds(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: PROBE_TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode === 200));
      response.once('error', () => resolve(false));
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}

import { uncompressedBytes } from '../../message/encode-message.ts';
import { rcodeName } from '../../message/codes.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { expectThat, once, type PluginModule, type SetupContext } from '../../plugin/setup.ts';
import type { RequestMetrics } from '../../metrics/request-metrics.ts';
import type { Clock } from '../../../base/clock.ts';

const DEFAULT_ADDRESS = 'localhost:9153';

export const prometheus: PluginModule = {
  name: 'prometheus',
  setup(directives, context) {
    const directive = once(directives);
    const address = directive.args[0]?.text ?? DEFAULT_ADDRESS;
    expectThat(
      /:\d+$/.test(address) && directive.args.length < 2,
      directive.name,
      `prometheus '${address}'; expected at most one ADDRESS:PORT, e.g. :9153`,
    );
    return {
      plugin: new PrometheusPlugin(context.requests, context.clock),
      ...endpointOf(address, context),
    };
  },
};

function endpointOf(
  address: string,
  context: SetupContext,
): { start(): Promise<void>; close(): Promise<void> } {
  let serving: { stop(): Promise<void> } | undefined;
  const { registry } = context.families;
  return {
    async start() {
      serving = await context.http.serve(address, '/metrics', async () => ({
        status: 200,
        body: await registry.metrics(),
        contentType: registry.contentType,
      }));
    },
    async close() {
      await serving?.stop();
    },
  };
}

/** Counts queries and replies; repeated answers too. */
class PrometheusPlugin implements Plugin {
  readonly name = 'prometheus';
  readonly declaresReuse = true;
  readonly #metrics: RequestMetrics;
  readonly #clock: Clock;

  constructor(metrics: RequestMetrics, clock: Clock) {
    this.#metrics = metrics;
    this.#clock = clock;
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const outcome = await next(request);
    if (outcome.kind === 'drop') return outcome;
    const answered = {
      request,
      zone: request.zone,
      rcode: rcodeName(rcodeOf(outcome)),
      plugin: outcome.kind === 'rcode' ? '' : outcome.plugin,
      replyBytes: sizeOf(outcome),
    };
    const durationMs = this.#clock.now() - request.receivedAt;
    request.reuse.effects.push(this.#metrics.report(answered, durationMs));
    return outcome;
  }
}

function rcodeOf(outcome: Exclude<Outcome, { kind: 'drop' }>): number {
  if (outcome.kind === 'rcode') return outcome.rcode;
  return outcome.kind === 'reply' ? outcome.message.rcode : 0;
}

/** Errors nobody wrote yet have no size here, as in CoreDNS. */
function sizeOf(outcome: Outcome): number {
  if (outcome.kind === 'reply') return uncompressedBytes(outcome.message);
  if (outcome.kind !== 'transfer') return 0;
  return outcome.messages.reduce((sum, message) => sum + uncompressedBytes(message), 0);
}

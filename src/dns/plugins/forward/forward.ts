import { sleep, type Clock } from '../../../base/clock.ts';
import { errorMessage, PodwireError } from '../../../base/errors.ts';
import { shuffle, type Random } from '../../../base/random.ts';
import { Rcode, rcodeName } from '../../message/codes.ts';
import { replyTo, type DnsMessage } from '../../message/message.ts';
import { foldName, isSubdomain, matchingZone } from '../../message/name.ts';
import type { Cell, MetricFamilies } from '../../metrics/metric-families.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import type { SetupContext } from '../../plugin/setup.ts';
import type { ForwardOptions } from './options.ts';
import type { Upstream } from './upstream.ts';

/** A query waits this long for all upstreams together. */
const QUERY_TIMEOUT_MS = 5000;
/** No upstream is asked more often than this for one query. */
const MAX_ATTEMPTS_EACH = 2;

export interface ForwardServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly families: MetricFamilies;
  readonly upstreamFailure: SetupContext['upstreamFailure'];
  /** Another `forward` of the same block comes next. */
  readonly isFollowed: boolean;
}

/** Asks other servers (plugin/forward). */
export class ForwardPlugin implements Plugin {
  readonly name = 'forward';
  readonly #options: ForwardOptions;
  readonly #upstreams: readonly Upstream[];
  readonly #services: ForwardServices;
  readonly #rejected: Cell;
  readonly #checkBroken: Cell;
  #concurrent = 0;
  #turn = 0;

  constructor(options: ForwardOptions, upstreams: readonly Upstream[], services: ForwardServices) {
    this.#options = options;
    this.#upstreams = upstreams;
    this.#services = services;
    const { families } = services;
    this.#rejected = families
      .counter(
        'coredns_forward_max_concurrent_rejects_total',
        'Queries refused because max_concurrent were under way.',
      )
      .of();
    this.#checkBroken = families
      .counter(
        'coredns_forward_healthcheck_broken_total',
        'Queries for which every upstream was down.',
      )
      .of();
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    if (!this.#matches(request.name)) return next(request);
    const { maxConcurrent } = this.#options;
    if (maxConcurrent > 0 && this.#concurrent >= maxConcurrent) {
      this.#rejected.value += 1;
      return {
        kind: 'rcode',
        rcode: Rcode.REFUSED,
        error: new Error(`concurrent queries exceeded maximum ${maxConcurrent}`),
      };
    }
    this.#concurrent += 1;
    try {
      return await this.#ask(request, next);
    } finally {
      this.#concurrent -= 1;
    }
  }

  #matches(name: string): boolean {
    const { from, except } = this.#options;
    return isSubdomain(from, name) && matchingZone(except, name) === undefined;
  }

  async #ask(request: DnsRequest, next: Handler): Promise<Outcome> {
    const { clock } = this.#services;
    const deadline = clock.now() + QUERY_TIMEOUT_MS;
    const list = this.#inOrder();
    let failure: unknown = new Error('no healthy proxies');
    let lastReply: DnsMessage | undefined;
    const attempts = this.#options.maxAttempts || list.length * MAX_ATTEMPTS_EACH;
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (clock.now() >= deadline) break;
      const upstream = this.#alive(list, attempt);
      if (upstream === undefined) break;
      try {
        const reply = await this.#exchange(upstream, request);
        request.trace?.add({
          plugin: this.name,
          what: `${upstream.label} said ${rcodeName(reply.rcode)}`,
        });
        if (!answers(reply, request)) return mismatch(request);
        lastReply = reply;
        request.metadata.set('forward/upstream', () => upstream.label);
        if (!this.#options.failover.includes(reply.rcode)) break;
      } catch (error) {
        failure = error;
        request.trace?.add({ plugin: this.name, what: errorMessage(error) });
        upstream.checkHealth();
      }
    }
    if (lastReply === undefined)
      return {
        kind: 'rcode',
        rcode: Rcode.SERVFAIL,
        error: failure instanceof Error ? failure : new Error(errorMessage(failure)),
      };
    if (this.#services.isFollowed && this.#leavesToNext(lastReply)) return next(request);
    return { kind: 'reply', message: lastReply, plugin: this.name };
  }

  #leavesToNext({ rcode, answers: records }: DnsMessage): boolean {
    const { next, nextOnNoData } = this.#options;
    const noData = rcode === Rcode.NOERROR && records.length === 0;
    return next.includes(rcode) || (nextOnNoData && noData);
  }

  /** The next upstream that is not down; when all are, any one, as the checks may be what is broken. */
  #alive(list: readonly Upstream[], attempt: number): Upstream | undefined {
    for (let step = 0; step < list.length; step += 1) {
      const candidate = list[(attempt + step) % list.length];
      if (candidate?.down === false) return candidate;
    }
    this.#checkBroken.value += 1;
    if (this.#options.failFast) return undefined;
    return list[this.#services.random.below(list.length)];
  }

  async #exchange(upstream: Upstream, request: DnsRequest): Promise<DnsMessage> {
    const { forceTcp, preferUdp } = this.#options;
    const asked = request.peer.protocol;
    const protocol = forceTcp ? 'tcp' : preferUdp ? 'udp' : asked;
    const injected = await this.#injectedReply(upstream, request);
    if (injected !== undefined) return injected;
    const reply = await upstream.exchange(request.message, protocol);
    if (reply.truncated && preferUdp && !forceTcp) return upstream.exchange(request.message, 'tcp');
    return reply;
  }

  /** What comes instead of the upstream's reply while a fault befalls it. */
  async #injectedReply(upstream: Upstream, request: DnsRequest): Promise<DnsMessage | undefined> {
    const { clock, upstreamFailure } = this.#services;
    const { name, type } = request.question;
    const failure = upstreamFailure({ name, type, client: request.peer.address });
    if (failure === undefined) return undefined;
    if (failure !== 'timeout') return replyTo(request.message, { rcode: failure });
    await sleep(clock, this.#options.readTimeoutMs);
    throw new PodwireError('DNS_UPSTREAM', `${upstream.label}: i/o timeout`);
  }

  #inOrder(): readonly Upstream[] {
    const upstreams = this.#upstreams;
    switch (this.#options.policy) {
      case 'sequential':
        return upstreams;
      case 'round_robin': {
        const first = this.#turn % upstreams.length;
        this.#turn += 1;
        return [...upstreams.slice(first), ...upstreams.slice(0, first)];
      }
      case 'random':
        return shuffle([...upstreams], this.#services.random);
    }
  }
}

function answers(reply: DnsMessage, { message, question }: DnsRequest): boolean {
  const [asked] = reply.questions;
  if (asked === undefined || reply.opcode !== message.opcode) return false;
  return (
    foldName(asked.name) === foldName(question.name) &&
    asked.type === question.type &&
    asked.class === question.class
  );
}

function mismatch(request: DnsRequest): Outcome {
  const message = replyTo(request.message, { rcode: Rcode.FORMERR });
  return { kind: 'reply', message, plugin: 'forward' };
}

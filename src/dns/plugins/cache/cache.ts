import { sleep, type Clock } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import { Rcode } from '../../message/codes.ts';
import { replyTo, type DnsMessage, type ResourceRecord } from '../../message/message.ts';
import { foldName, matchingZone } from '../../message/name.ts';
import type { Cell, MetricFamilies } from '../../metrics/metric-families.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { Reuse, type ReuseEffect } from '../../plugin/reuse.ts';
import { CacheStore } from './cache-store.ts';
import { classifyReply, minimalTtl, type ReplyClass } from './classify.ts';
import type { CacheOptions } from './options.ts';

/** A reply that is kept, and how often it was wanted. */
interface Item {
  readonly key: string;
  readonly reply: DnsMessage;
  readonly ttlSeconds: number;
  readonly storedAt: number;
  hits: number;
  lastHitAt: number;
  refreshing: boolean;
  /** Stale: not fetched again before. */
  recheckAt: number;
}

interface Found {
  readonly item: Item;
  readonly kind: 'success' | 'denial';
}

interface CacheServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly families: MetricFamilies;
}

/**
 * Keeps replies by name, type, class, DO and CD (plugin/cache). Positive ones and denials are bounded
 * apart, so a flood of names that do not exist leaves the good answers alone.
 */
export class CachePlugin implements Plugin {
  readonly name = 'cache';
  readonly declaresReuse = true;
  readonly #options: CacheOptions;
  readonly #clock: Clock;
  readonly #success: CacheStore<Item>;
  readonly #denial: CacheStore<Item>;
  readonly #metrics: CacheMetrics;

  constructor(options: CacheOptions, { clock, random, families }: CacheServices) {
    this.#options = options;
    this.#clock = clock;
    this.#success = new CacheStore(options.success.capacity, random);
    this.#denial = new CacheStore(options.denial.capacity, random);
    this.#metrics = new CacheMetrics(families, options.zones.join(','));
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    if (matchingZone(this.#options.zones, request.name) === undefined) return next(request);
    const now = this.#clock.now();
    const metrics = this.#metrics.of(request.server);
    metrics.requests.value += 1;
    const key = keyOf(request);
    const found = this.#find(key, now);
    if (found === undefined) {
      metrics.misses.value += 1;
      request.trace?.add({ plugin: this.name, what: 'not in the cache' });
      return this.#fetch(request, next);
    }
    metrics.hits[found.kind].value += 1;
    const { item } = found;
    if (remainingSeconds(item, now) <= 0) return this.#serveStale(request, next, item);
    const prefetching = this.#noteHit(item, now);
    if (prefetching) void this.#refresh(request, next, item);
    request.trace?.add({
      plugin: this.name,
      what: `from the cache, ${remainingSeconds(item, now)} s left`,
    });
    this.#allowReuse(request, found, now);
    return this.#reply(request, item, Math.floor((now - item.storedAt) / 1000));
  }

  #find(key: string, now: number): Found | undefined {
    const usable = (item: Item | undefined): item is Item => {
      if (item === undefined) return false;
      const left = remainingSeconds(item, now);
      const staleMs = this.#options.serveStale?.upToMs ?? 0;
      return left > 0 || -left * 1000 < staleMs;
    };
    const denial = this.#denial.get(key);
    if (usable(denial)) return { item: denial, kind: 'denial' };
    const success = this.#success.get(key);
    return usable(success) ? { item: success, kind: 'success' } : undefined;
  }

  /** A miss: the reply is kept and goes out with the TTL it will have from the cache. */
  async #fetch(request: DnsRequest, next: Handler): Promise<Outcome> {
    const outcome = await next(request);
    if (outcome.kind !== 'reply') {
      request.reuse.refuse();
      return outcome;
    }
    if (this.#isDisabled(request, outcome.message)) this.#countRepeatedMisses(request);
    // What is kept answers the next one; this reply was only the first.
    else request.reuse.refuse();
    return { ...outcome, message: this.#keep(request, outcome.message) };
  }

  /** Names that are never kept are missed each time, whoever computes the answer. */
  #countRepeatedMisses(request: DnsRequest): void {
    request.reuse.effects.push(this.#metrics.of(request.server).countMiss);
  }

  #isDisabled({ name }: DnsRequest, reply: DnsMessage): boolean {
    const kind = storeFor(classifyReply(reply));
    return matchingZone(this.#options[kind].disabledZones, name) !== undefined;
  }

  #keep(request: DnsRequest, reply: DnsMessage): DnsMessage {
    const replyClass = classifyReply(reply);
    const ttlSeconds = this.#ttlFor(reply, replyClass);
    const storable = replyClass !== 'other' && ttlSeconds > 0 && !this.#isDisabled(request, reply);
    const stored = storable && this.#store(request, reply, replyClass, ttlSeconds);
    request.trace?.add({
      plugin: this.name,
      what: stored ? `kept for ${ttlSeconds} s` : 'not kept',
    });
    return {
      ...withTtl(reply, ttlSeconds),
      authenticData: reply.authenticData && wantsAuthenticData(request),
    };
  }

  #ttlFor(reply: DnsMessage, replyClass: ReplyClass): number {
    const { success, denial, servfailMs } = this.#options;
    if (replyClass === 'serverError') return servfailMs / 1000;
    const bounds = replyClass === 'nameError' || replyClass === 'noData' ? denial : success;
    return Math.min(Math.max(minimalTtl(reply, replyClass), bounds.minSeconds), bounds.maxSeconds);
  }

  #store(
    request: DnsRequest,
    reply: DnsMessage,
    replyClass: ReplyClass,
    ttlSeconds: number,
  ): boolean {
    const metrics = this.#metrics.of(request.server);
    const [asked] = reply.questions;
    if (
      asked === undefined ||
      foldName(asked.name) !== request.name ||
      asked.type !== request.question.type
    ) {
      metrics.drops.value += 1;
      return false;
    }
    const kind = storeFor(replyClass);
    const positive = kind === 'success';
    const store = positive ? this.#success : this.#denial;
    const now = this.#clock.now();
    const key = keyOf(request);
    const item: Item = {
      key,
      reply,
      ttlSeconds,
      storedAt: now,
      hits: 0,
      lastHitAt: now,
      refreshing: false,
      recheckAt: 0,
    };
    if (store.set(key, item)) metrics.evictions[kind].value += 1;
    // A name that came into being must not be denied by what is left of its absence.
    if (positive) this.#denial.delete(key);
    metrics.entries.success.value = this.#success.size;
    metrics.entries.denial.value = this.#denial.size;
    return true;
  }

  /** Counts a hit; true when the entry is popular and about to expire. */
  #noteHit(item: Item, now: number): boolean {
    const { prefetch } = this.#options;
    if (prefetch === undefined || prefetch.hits <= 0) return false;
    item.hits = now - item.lastHitAt > prefetch.gapMs ? 1 : item.hits + 1;
    item.lastHitAt = now;
    const threshold = Math.ceil((prefetch.percentage / 100) * item.ttlSeconds);
    return (
      !item.refreshing && item.hits >= prefetch.hits && remainingSeconds(item, now) <= threshold
    );
  }

  async #refresh(request: DnsRequest, next: Handler, item: Item): Promise<void> {
    item.refreshing = true;
    this.#metrics.of(request.server).prefetches.value += 1;
    try {
      const outcome = await next(detached(request));
      if (outcome.kind === 'reply') this.#keep(detached(request), outcome.message);
      const fresh = this.#success.get(item.key) ?? this.#denial.get(item.key);
      if (fresh !== undefined && fresh !== item) fresh.hits = item.hits;
      else this.#putOff(item);
    } catch {
      // The entry in force stays; a later query tries again.
      this.#putOff(item);
    } finally {
      item.refreshing = false;
    }
  }

  async #serveStale(request: DnsRequest, next: Handler, item: Item): Promise<Outcome> {
    request.reuse.refuse();
    const { serveStale } = this.#options;
    const isDue = this.#clock.now() >= item.recheckAt;
    if (isDue && serveStale?.verify === true) {
      const fresh = await this.#verified(request, next, serveStale.verifyTimeoutMs);
      if (fresh !== undefined) return fresh;
      this.#putOff(item);
    } else if (isDue && !item.refreshing) {
      void this.#refresh(request, next, item);
    }
    this.#metrics.of(request.server).servedStale.value += 1;
    request.trace?.add({ plugin: this.name, what: 'from the cache, stale' });
    const reply = this.#reply(request, item, 0);
    if (reply.kind !== 'reply') return reply;
    return { ...reply, message: withTtl(reply.message, serveStale?.ttlSeconds ?? 0) };
  }

  #putOff(item: Item): void {
    item.recheckAt = this.#clock.now() + (this.#options.serveStale?.recheckMs ?? 0);
  }

  /** A reply that may replace a stale one (RFC 8767 §4), if it comes in time. */
  async #verified(
    request: DnsRequest,
    next: Handler,
    timeoutMs: number,
  ): Promise<Outcome | undefined> {
    const stop = new AbortController();
    const timeout = sleep(this.#clock, timeoutMs, stop.signal).catch(() => undefined);
    const outcome = await Promise.race([next(request).catch(() => undefined), timeout]);
    stop.abort(new Error('answered'));
    if (typeof outcome !== 'object' || outcome.kind !== 'reply') return undefined;
    const { rcode } = outcome.message;
    if (rcode !== Rcode.NOERROR && rcode !== Rcode.NXDOMAIN) return undefined;
    return { ...outcome, message: this.#keep(request, outcome.message) };
  }

  #reply(request: DnsRequest, item: Item, agedSeconds: number): Outcome {
    const { keepTtl } = this.#options;
    const ttl = keepTtl ? item.ttlSeconds : Math.max(0, item.ttlSeconds - agedSeconds);
    const { reply } = item;
    const message = replyTo(request.message, {
      // miekg's SetReply followed by the stored flags; CoreDNS calls every cached reply authoritative.
      authoritative: true,
      recursionAvailable: reply.recursionAvailable,
      authenticData: reply.authenticData && wantsAuthenticData(request),
      rcode: reply.rcode,
      answers: reply.answers,
      authorities: reply.authorities,
      additionals: reply.additionals,
    });
    return { kind: 'reply', message: withTtl(message, ttl), plugin: this.name };
  }

  /** The same bytes may go out until the entry expires, counting down. Counting hits goes on. */
  #allowReuse(request: DnsRequest, { item, kind }: Found, now: number): void {
    const { reuse } = request;
    // Popularity decides about prefetching, so each hit has to be seen here.
    if (this.#options.prefetch !== undefined) {
      reuse.refuse();
      return;
    }
    const ageMs = now - item.storedAt;
    reuse.allow();
    reuse.expiresAt = Math.min(reuse.expiresAt, item.storedAt + item.ttlSeconds * 1000);
    if (!this.#options.keepTtl) reuse.ttlsFrom = now - (ageMs % 1000);
    reuse.effects.push(this.#metrics.of(request.server).countHit[kind]);
  }
}

function storeFor(replyClass: ReplyClass): 'success' | 'denial' {
  return replyClass === 'success' || replyClass === 'delegation' ? 'success' : 'denial';
}

function keyOf({ name, question, message }: DnsRequest): string {
  const dnssecOk = message.edns?.dnssecOk === true ? 1 : 0;
  const checking = message.checkingDisabled ? 1 : 0;
  return `${dnssecOk}${checking}${question.class}/${question.type}/${name}`;
}

function remainingSeconds(item: Item, now: number): number {
  return item.ttlSeconds - Math.floor((now - item.storedAt) / 1000);
}

function wantsAuthenticData(request: DnsRequest): boolean {
  return request.message.edns?.dnssecOk === true || request.message.authenticData;
}

/** A background query: nobody is waiting, and its answer is nobody's ready reply. */
function detached(request: DnsRequest): DnsRequest {
  const { trace: _nobodyAsked, ...rest } = request;
  return { ...rest, reuse: new Reuse() };
}

function withTtl(message: DnsMessage, ttlSeconds: number): DnsMessage {
  const change = (records: readonly ResourceRecord[]): ResourceRecord[] =>
    records.map((entry) => ({ ...entry, ttlSeconds }));
  return {
    ...message,
    answers: change(message.answers),
    authorities: change(message.authorities),
    additionals: change(message.additionals),
  };
}

interface ServerCells {
  readonly requests: Cell;
  readonly misses: Cell;
  readonly prefetches: Cell;
  readonly drops: Cell;
  readonly servedStale: Cell;
  readonly hits: Readonly<Record<'success' | 'denial', Cell>>;
  /** For answers that are repeated without being asked for here again. */
  readonly countMiss: ReuseEffect;
  readonly countHit: Readonly<Record<'success' | 'denial', ReuseEffect>>;
  readonly evictions: Readonly<Record<'success' | 'denial', Cell>>;
  readonly entries: Readonly<Record<'success' | 'denial', Cell>>;
}

/** The coredns_cache_* families. */
class CacheMetrics {
  readonly #families: MetricFamilies;
  readonly #zones: string;
  readonly #servers = new Map<string, ServerCells>();

  constructor(families: MetricFamilies, zones: string) {
    this.#families = families;
    this.#zones = zones;
  }

  of(server: string): ServerCells {
    const known = this.#servers.get(server);
    if (known !== undefined) return known;
    const place = ['server', 'zones', 'view'];
    const plain = (name: string, help: string): Cell =>
      this.#families.counter(`coredns_cache_${name}`, help, place).of(server, this.#zones, '');
    const typed = (name: string, help: string): Record<'success' | 'denial', Cell> => {
      const create = name === 'entries' ? 'gauge' : 'counter';
      const labels = ['server', 'type', 'zones', 'view'];
      const family = this.#families[create](`coredns_cache_${name}`, help, labels);
      return {
        success: family.of(server, 'success', this.#zones, ''),
        denial: family.of(server, 'denial', this.#zones, ''),
      };
    };
    const requests = plain('requests_total', 'Queries the cache was asked.');
    const misses = plain('misses_total', 'Queries the cache could not answer.');
    const hits = typed('hits_total', 'Queries answered from the cache.');
    const countedAs = (outcome: Cell) => (): void => {
      requests.value += 1;
      outcome.value += 1;
    };
    const cells: ServerCells = {
      requests,
      misses,
      hits,
      countMiss: countedAs(misses),
      countHit: { success: countedAs(hits.success), denial: countedAs(hits.denial) },
      prefetches: plain('prefetch_total', 'Entries refreshed before they expired.'),
      drops: plain('drops_total', 'Replies not kept because they do not match the question.'),
      servedStale: plain('served_stale_total', 'Answers given after they expired.'),
      evictions: typed('evictions_total', 'Entries that made room for others.'),
      entries: typed('entries', 'Entries in the cache.'),
    };
    this.#servers.set(server, cells);
    return cells;
  }
}

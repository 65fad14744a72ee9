import { RecordType, typeName } from '../message/codes.ts';
import type { DnsRequest } from '../plugin/plugin.ts';
import type { ReuseEffect } from '../plugin/reuse.ts';
import type { Family, Cell, HistogramCell, MetricFamilies } from './metric-families.ts';

/** CoreDNS plugin/metrics/vars: 0.25 ms doubling, 16 buckets. Seconds. */
const DURATION_BOUNDS = Array.from({ length: 16 }, (_, index) => 0.000_25 * 2 ** index);
const SIZE_BOUNDS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3];

/** Types counted by name; the rest are `other`. */
const COUNTED_TYPES = new Set<number>([
  RecordType.A,
  RecordType.AAAA,
  RecordType.ANY,
  RecordType.CNAME,
  RecordType.DNSKEY,
  RecordType.DS,
  RecordType.HTTPS,
  RecordType.MX,
  RecordType.NAPTR,
  RecordType.NS,
  RecordType.NSEC,
  RecordType.PTR,
  RecordType.RRSIG,
  RecordType.SOA,
  RecordType.SRV,
  RecordType.SVCB,
  RecordType.TXT,
]);

/** What is counted of one answered query. */
export interface AnsweredQuery {
  readonly request: DnsRequest;
  /** `dropped` for queries no block wanted. */
  readonly zone: string;
  readonly rcode: string;
  /** Who wrote the reply; empty for the server itself. */
  readonly plugin: string;
  /** Without compression. */
  readonly replyBytes: number;
}

/** Ways of counting that are shared; more have a function each. */
const MAX_SHARED = 1024;
const DROPPED_ZONE = 'dropped';

/** The coredns_dns_* families. The view label is always empty: there are no views here. */
export class RequestMetrics {
  readonly panics: Cell;
  readonly enabled: Family<Cell>;
  readonly #requests: Family<Cell>;
  readonly #durations: Family<HistogramCell>;
  readonly #requestSizes: Family<HistogramCell>;
  readonly #responseSizes: Family<HistogramCell>;
  readonly #dnssecOk: Family<Cell>;
  readonly #responses: Family<Cell>;
  readonly #repeats = new Map<string, ReuseEffect>();

  constructor(families: MetricFamilies) {
    const place = ['server', 'zone', 'view'];
    const name = (suffix: string): string => `coredns_dns_${suffix}`;
    this.panics = families.counter('coredns_panics_total', 'Number of panics.').of();
    this.enabled = families.gauge(
      'coredns_plugin_enabled',
      'Whether a plugin is enabled, by server and zone.',
      [...place, 'name'],
    );
    this.#requests = families.counter(name('requests_total'), 'DNS requests by zone and type.', [
      ...place,
      'proto',
      'family',
      'type',
    ]);
    this.#durations = families.histogram(
      name('request_duration_seconds'),
      'Time each request took, in seconds.',
      place,
      DURATION_BOUNDS,
    );
    this.#requestSizes = families.histogram(
      name('request_size_bytes'),
      'Size of requests in bytes.',
      [...place, 'proto'],
      SIZE_BOUNDS,
    );
    this.#responseSizes = families.histogram(
      name('response_size_bytes'),
      'Size of replies in bytes, uncompressed.',
      [...place, 'proto'],
      SIZE_BOUNDS,
    );
    this.#dnssecOk = families.counter(
      name('do_requests_total'),
      'DNS requests with the DO bit, by zone.',
      place,
    );
    this.#responses = families.counter(name('responses_total'), 'Replies by rcode and plugin.', [
      ...place,
      'rcode',
      'plugin',
    ]);
  }

  /** Counts a query and returns what counts each repetition of its answer. */
  report(answered: AnsweredQuery, durationMs: number): ReuseEffect {
    const { request, zone, rcode, plugin, replyBytes } = answered;
    const { server } = request;
    const { protocol } = request.peer;
    const family = request.peer.family === 'IPv4' ? '1' : '2';
    const { type } = request.question;
    const typeLabel = COUNTED_TYPES.has(type) ? typeName(type) : 'other';
    const requests = this.#requests.of(server, zone, '', protocol, family, typeLabel);
    const durations = this.#durations.of(server, zone, '');
    const requestSizes = this.#requestSizes.of(server, zone, '', protocol);
    const responseSizes = this.#responseSizes.of(server, zone, '', protocol);
    const responses = this.#responses.of(server, zone, '', rcode, plugin);
    const dnssecOk =
      request.message.edns?.dnssecOk === true ? this.#dnssecOk.of(server, zone, '') : undefined;
    const count = this.#shared({
      key: [server, zone, protocol, family, typeLabel, rcode, plugin, replyBytes].join(' '),
      asksDnssec: dnssecOk !== undefined,
      count: (hit) => {
        requests.value += 1;
        responses.value += 1;
        if (dnssecOk !== undefined) dnssecOk.value += 1;
        durations.observe(hit.durationMs / 1000);
        requestSizes.observe(hit.queryBytes);
        responseSizes.observe(replyBytes);
      },
    });
    count({ queryBytes: request.queryBytes, replyBytes, durationMs });
    return count;
  }

  /** Thousands of ready answers are counted alike: by one function, which stays in the processor's cache. */
  #shared(repeat: {
    readonly key: string;
    readonly asksDnssec: boolean;
    readonly count: ReuseEffect;
  }): ReuseEffect {
    const key = `${repeat.key} ${repeat.asksDnssec}`;
    const known = this.#repeats.get(key);
    if (known !== undefined) return known;
    if (this.#repeats.size < MAX_SHARED) this.#repeats.set(key, repeat.count);
    return repeat.count;
  }

  reportUnmatched(request: DnsRequest, rcode: string, replyBytes: number, now: number): void {
    const answered = { request, zone: DROPPED_ZONE, rcode, plugin: '', replyBytes };
    this.report(answered, now - request.receivedAt);
  }
}

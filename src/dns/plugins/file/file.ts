import { Rcode, RecordType } from '../../message/codes.ts';
import { replyTo, type DnsMessage, type ResourceRecord } from '../../message/message.ts';
import { isSubdomain } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { fallsThrough, type Fallthrough, type Transferer } from '../../plugin/setup.ts';
import type { Zone, ZoneAnswer } from './zone.ts';

/** A zone and what to do with names it does not have. */
export interface ServedZone {
  readonly origin: string;
  readonly fallthrough: Fallthrough | undefined;
  readonly zone: Zone | undefined;
}

/** Answers from zone files (plugin/file). */
export class FilePlugin implements Plugin, Transferer {
  readonly name = 'file';
  readonly zones: readonly string[];
  readonly #zones: readonly ServedZone[];

  constructor(zones: readonly ServedZone[]) {
    this.#zones = zones;
    this.zones = zones.map(({ origin }) => origin);
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const served = this.#zoneFor(request.name);
    if (served?.zone === undefined) return next(request);
    const { zone, fallthrough } = served;
    const { name, type } = request.question;
    if (type === RecordType.AXFR || type === RecordType.IXFR)
      return { kind: 'rcode', rcode: Rcode.REFUSED };
    const answer = zone.lookup(name, type);
    const isUnknown = answer.kind === 'nameError' && answer.answers.length === 0;
    if (isUnknown && fallsThrough(fallthrough, request.name)) return next(request);
    return { kind: 'reply', message: await replyFor(request, zone, answer), plugin: this.name };
  }

  transfer(origin: string): readonly ResourceRecord[] | undefined {
    return this.#zones.find((served) => served.origin === origin)?.zone?.transfer();
  }

  #zoneFor(name: string): ServedZone | undefined {
    let best: ServedZone | undefined;
    for (const served of this.#zones)
      if (isSubdomain(served.origin, name) && served.origin.length > (best?.origin.length ?? 0))
        best = served;
    return best;
  }
}

async function replyFor(request: DnsRequest, zone: Zone, answer: ZoneAnswer): Promise<DnsMessage> {
  switch (answer.kind) {
    case 'success':
      return successReply(request, zone, answer);
    case 'noData':
      return replyTo(request.message, { authoritative: true, authorities: [zone.soa] });
    case 'nameError': {
      const { answers } = answer;
      const authorities = answers.length === 0 ? [zone.soa] : zone.nameServers;
      const parts = { authoritative: true, rcode: Rcode.NXDOMAIN, answers, authorities };
      return replyTo(request.message, parts);
    }
    case 'delegation': {
      const { authorities, additionals } = answer;
      return replyTo(request.message, { authorities, additionals });
    }
  }
}

const FAILURES: ReadonlySet<number> = new Set([Rcode.NXDOMAIN, Rcode.SERVFAIL]);

async function successReply(
  request: DnsRequest,
  zone: Zone,
  answer: Extract<ZoneAnswer, { kind: 'success' }>,
): Promise<DnsMessage> {
  const { type } = request.question;
  const outside = answer.open === undefined ? undefined : await request.lookup(answer.open, type);
  const answers = [...answer.answers, ...(outside?.answers ?? [])];
  const isApexNs = type === RecordType.NS && request.name === zone.origin;
  const isChain = answers.some((entry) => entry.type === RecordType.CNAME);
  return replyTo(request.message, {
    authoritative: true,
    // The end of the chain decides (RFC 6604 §3).
    rcode: FAILURES.has(outside?.rcode ?? 0) ? (outside?.rcode ?? 0) : Rcode.NOERROR,
    truncated: outside?.truncated ?? false,
    answers,
    authorities: isApexNs ? [] : zone.nameServers,
    additionals: isChain ? [] : zone.glueFor(answers),
  });
}

import { formatIp, parseCidr, parseIpv4, type Cidr } from '../../../base/ip.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Token } from '../../corefile/lexer.ts';
import { Rcode, RecordType } from '../../message/codes.ts';
import {
  addressRecord,
  replyTo,
  type DnsMessage,
  type ResourceRecord,
} from '../../message/message.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import { oneArgument, once, unknownOption, type PluginModule } from '../../plugin/setup.ts';

type Ipv6Cidr = Extract<Cidr, { family: 'IPv6' }>;

/** RFC 6052 §2.1. */
const WELL_KNOWN_PREFIX = '64:ff9b::/96';
const PREFIX_LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96];
/** Without an SOA, RFC 6147 §5.1.7. */
const DEFAULT_TTL_SECONDS = 600;

interface Dns64Options {
  readonly prefix: Ipv6Cidr;
  /** Also when there are real AAAA records. */
  readonly translateAll: boolean;
  /** Also for clients that ask over IPv4. */
  readonly allowIpv4: boolean;
}

export const dns64: PluginModule = {
  name: 'dns64',
  setup(directives, { families, server }) {
    const directive = once(directives);
    const [inline] = directive.args;
    let prefix = inline === undefined ? undefined : prefixOf(inline);
    let translateAll = false;
    let allowIpv4 = false;
    for (const option of directive.block ?? []) {
      const { text } = option.name;
      if (text === 'prefix') prefix = prefixOf(oneArgument(option, 'an IPv6 prefix'));
      else if (text === 'translate_all') translateAll = true;
      else if (text === 'allow_ipv4') allowIpv4 = true;
      else unknownOption('dns64', option.name, ['prefix', 'translate_all', 'allow_ipv4']);
    }
    const wellKnown = { text: WELL_KNOWN_PREFIX, quoted: false, file: '', line: 0 };
    const options = { prefix: prefix ?? prefixOf(wellKnown), translateAll, allowIpv4 };
    const translated = families
      .counter('coredns_dns64_requests_translated_total', 'Queries answered by translation.', [
        'server',
      ])
      .of(server);
    return {
      plugin: new Dns64Plugin(options, () => {
        translated.value += 1;
      }),
    };
  },
};

/** Makes AAAA records out of A records for clients behind NAT64 (RFC 6147). */
class Dns64Plugin implements Plugin {
  readonly name = 'dns64';
  readonly #options: Dns64Options;
  readonly #onTranslated: () => void;

  constructor(options: Dns64Options, onTranslated: () => void) {
    this.#options = options;
    this.#onTranslated = onTranslated;
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const { question, peer } = request;
    const wanted =
      question.type === RecordType.AAAA &&
      question.class === 1 &&
      (this.#options.allowIpv4 || peer.family === 'IPv6');
    if (!wanted) return next(request);
    const outcome = await next(request);
    if (outcome.kind !== 'reply' || !this.#needsTranslation(outcome.message)) return outcome;
    const ipv4 = await request.lookup(question.name, RecordType.A);
    const answers = this.#translate(ipv4, outcome.message);
    if (answers === undefined) return outcome;
    this.#onTranslated();
    const { truncated, authorities, additionals } = ipv4;
    const message = replyTo(request.message, { truncated, answers, authorities, additionals });
    return { kind: 'reply', message, plugin: this.name };
  }

  #needsTranslation({ rcode, answers }: DnsMessage): boolean {
    // A name that does not exist has no A records either, RFC 6147 §5.1.2.
    if (rcode === Rcode.NXDOMAIN) return false;
    if (this.#options.translateAll || rcode !== Rcode.NOERROR) return true;
    return !answers.some(({ type }) => type === RecordType.AAAA);
  }

  #translate(ipv4: DnsMessage, original: DnsMessage): ResourceRecord[] | undefined {
    if (ipv4.rcode !== Rcode.NOERROR || !ipv4.answers.some(({ type }) => type === RecordType.A))
      return undefined;
    const soa = original.authorities.find(({ type }) => type === RecordType.SOA);
    const limitSeconds = soa?.ttlSeconds ?? DEFAULT_TTL_SECONDS;
    return ipv4.answers.map((answer) =>
      answer.type === RecordType.A && answer.data.kind === 'address'
        ? addressRecord(
            answer.name,
            Math.min(answer.ttlSeconds, limitSeconds),
            embed(this.#options.prefix, answer.data.address),
          )
        : answer,
    );
  }
}

/** RFC 6052 §2.2: the IPv4 address after the prefix, around bits 64 to 71, which stay zero. */
function embed(prefix: Ipv6Cidr, ipv4: string): string {
  const value = BigInt(parseIpv4(ipv4) ?? 0);
  const { prefixLength } = prefix;
  if (prefixLength === 96) return formatIp({ family: 'IPv6', value: prefix.base | value });
  const beforeGap = Math.min(32, 64 - prefixLength);
  const afterGap = 32 - beforeGap;
  const high = (value >> BigInt(afterGap)) << 64n;
  const low = (value & ((1n << BigInt(afterGap)) - 1n)) << BigInt(56 - afterGap);
  return formatIp({ family: 'IPv6', value: prefix.base | high | low });
}

function prefixOf(token: Token): Ipv6Cidr {
  const cidr = parseCidr(token.text, { allowHostBits: true });
  if (cidr?.family !== 'IPv6' || !PREFIX_LENGTHS.includes(cidr.prefixLength))
    throw new CorefileError(
      token,
      `invalid prefix '${token.text}'; expected IPv6 with a length of ${PREFIX_LENGTHS.join(', ')}`,
    );
  return cidr;
}

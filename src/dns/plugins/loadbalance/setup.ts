import { shuffle, type Random } from '../../../base/random.ts';
import { cidrContains, parseCidr, parseIp, type Cidr } from '../../../base/ip.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { RecordType } from '../../message/codes.ts';
import type { DnsMessage, ResourceRecord } from '../../message/message.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import {
  durationArgument,
  once,
  oneArgument,
  unknownOption,
  type PluginModule,
} from '../../plugin/setup.ts';
import { loadWeights, pickWeighted, type Weights } from './weights.ts';

const DEFAULT_RELOAD_MS = 30_000;

export const loadbalance: PluginModule = {
  name: 'loadbalance',
  async setup(directives, { random, files, clock }) {
    const directive = once(directives);
    const [policy, file] = directive.args;
    const chance = random.fork('loadbalance');
    const preferred = preferredNetworks(directive);
    if (policy === undefined || policy.text === 'round_robin')
      return {
        plugin: new LoadBalancePlugin(
          (records) => arrange(records, chance, preferred),
          preferred.length === 0,
        ),
      };
    if (policy.text !== 'weighted' || file === undefined)
      throw new CorefileError(policy, "expected 'round_robin' or 'weighted FILE'");
    const reloadMs = reloadOf(directive);
    const weights: Weights = await loadWeights(file, { files, clock, reloadMs });
    return {
      plugin: new LoadBalancePlugin(
        (records, request) => pickWeighted(records, weights.of(request.name), chance),
        false,
      ),
      close() {
        weights.stop();
        return Promise.resolve();
      },
    };
  },
};

type Arrange = (records: readonly ResourceRecord[], request: DnsRequest) => ResourceRecord[];

/** Changes the order of addresses in replies, so that clients that take the first one spread. */
class LoadBalancePlugin implements Plugin {
  readonly name = 'loadbalance';
  readonly declaresReuse = true;
  readonly #arrange: Arrange;
  readonly #uniform: boolean;

  /** `uniform`: every order is as likely as any other, so a ready reply may be shuffled in place. */
  constructor(arrangeRecords: Arrange, uniform: boolean) {
    this.#arrange = arrangeRecords;
    this.#uniform = uniform;
  }

  async serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const outcome = await next(request);
    if (outcome.kind !== 'reply' || outcome.message.rcode !== 0) return outcome;
    const { answers, authorities, additionals } = outcome.message;
    const several = [answers, additionals].some((section) => section.length > 1);
    if (!several) return outcome;
    if (!this.#uniform || answers.some(({ type }) => type === RecordType.MX))
      request.reuse.refuse();
    request.reuse.shuffles = true;
    const message: DnsMessage = {
      ...outcome.message,
      answers: this.#arrange(answers, request),
      authorities: this.#arrange(authorities, request),
      additionals: this.#arrange(additionals, request),
    };
    return { ...outcome, message };
  }
}

/** CNAMEs first, then the rest, then addresses and mail exchangers in random order. */
function arrange(
  records: readonly ResourceRecord[],
  random: Random,
  preferred: readonly Cidr[],
): ResourceRecord[] {
  const cnames = records.filter(({ type }) => type === RecordType.CNAME);
  const addresses = records.filter(isAddress);
  const mail = records.filter(({ type }) => type === RecordType.MX);
  const rest = records.filter(
    (entry) => entry.type !== RecordType.CNAME && entry.type !== RecordType.MX && !isAddress(entry),
  );
  const shuffled = shuffle(addresses, random);
  return [
    ...cnames,
    ...rest,
    ...(preferred.length === 0 ? shuffled : preferFirst(shuffled, preferred)),
    ...shuffle(mail, random),
  ];
}

function isAddress({ type }: ResourceRecord): boolean {
  return type === RecordType.A || type === RecordType.AAAA;
}

function preferFirst(
  addresses: readonly ResourceRecord[],
  preferred: readonly Cidr[],
): ResourceRecord[] {
  const wanted = addresses.filter(({ data }) => {
    const ip = data.kind === 'address' ? parseIp(data.address) : undefined;
    return ip !== undefined && preferred.some((cidr) => cidrContains(cidr, ip));
  });
  return [...wanted, ...addresses.filter((address) => !wanted.includes(address))];
}

function reloadOf({ block }: Directive): number {
  const option = block?.findLast(({ name }) => name.text === 'reload');
  if (option === undefined) return DEFAULT_RELOAD_MS;
  return durationArgument(oneArgument(option, 'a duration'), 'reload');
}

function preferredNetworks(directive: Directive): Cidr[] {
  return (directive.block ?? []).flatMap(({ name, args }) => {
    if (name.text === 'reload') return [];
    if (name.text !== 'prefer') unknownOption('loadbalance', name, ['prefer', 'reload']);
    return args.map((token) => {
      const cidr = parseCidr(token.text, { allowHostBits: true });
      if (cidr === undefined)
        throw new CorefileError(token, `prefer '${token.text}'; expected a CIDR`);
      return cidr;
    });
  });
}

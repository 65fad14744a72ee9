import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Token } from '../../corefile/lexer.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { parseIp } from '../../../base/ip.ts';
import { Rcode, RecordType } from '../../message/codes.ts';
import { uncompressedBytes } from '../../message/encode-message.ts';
import { replyTo, type DnsMessage, type ResourceRecord } from '../../message/message.ts';
import { matchingZone } from '../../message/name.ts';
import type { DnsRequest, Handler, Outcome, Plugin } from '../../plugin/plugin.ts';
import {
  unknownOption,
  zoneArguments,
  type NamedInstance,
  type PluginModule,
} from '../../plugin/setup.ts';

/** Who may have which zones. */
interface TransferRule {
  readonly zones: readonly string[];
  /** Absent: anybody (`to *`). */
  readonly to?: ReadonlySet<string>;
}

const NO_SERIAL = new Error('IXFR without the SOA record the client has');

/** Room for the TCP length and a last record below 64 KiB. */
const MAX_BATCH_BYTES = 63_000;

export const transfer: PluginModule = {
  name: 'transfer',
  setup(directives, { zones, siblings }) {
    const rules = directives.map((directive) => ruleOf(directive, zones));
    return { plugin: new TransferPlugin(rules, siblings) };
  },
};

/** Hands out whole zones over TCP (plugin/transfer, RFC 5936). IXFR is answered in full or not at all. */
class TransferPlugin implements Plugin {
  readonly name = 'transfer';
  readonly declaresReuse = true;
  readonly #rules: readonly TransferRule[];
  readonly #siblings: () => readonly NamedInstance[];

  constructor(rules: readonly TransferRule[], siblings: () => readonly NamedInstance[]) {
    this.#rules = rules;
    this.#siblings = siblings;
  }

  serve(request: DnsRequest, next: Handler): Promise<Outcome> {
    const { type } = request.question;
    if (type !== RecordType.AXFR && type !== RecordType.IXFR) return next(request);
    request.reuse.refuse();
    const refused: Outcome = { kind: 'rcode', rcode: Rcode.REFUSED };
    if (request.peer.protocol !== 'tcp') return Promise.resolve(refused);
    const rule = this.#ruleFor(request.name);
    if (rule === undefined) return next(request);
    if (rule.to?.has(request.peer.address) === false) return Promise.resolve(refused);
    const serial = type === RecordType.IXFR ? clientSerial(request) : 0;
    if (serial === undefined)
      return Promise.resolve({ kind: 'rcode', rcode: Rcode.SERVFAIL, error: NO_SERIAL });
    const records = this.#recordsOf(request.name);
    if (records === undefined) return next(request);
    const isCurrent = serial !== 0 && serial === serialOf(records);
    const messages = batches(request, isCurrent ? records.slice(0, 1) : records);
    return Promise.resolve({ kind: 'transfer', messages, plugin: this.name });
  }

  /** The rule with the most specific zone; of equals the first. */
  #ruleFor(name: string): TransferRule | undefined {
    const zone = matchingZone(
      this.#rules.flatMap(({ zones }) => zones),
      name,
    );
    return this.#rules.find(({ zones }) => zone !== undefined && zones.includes(zone));
  }

  #recordsOf(zone: string): readonly ResourceRecord[] | undefined {
    for (const { instance } of this.#siblings()) {
      const { transferer } = instance;
      if (transferer?.zones.includes(zone) !== true) continue;
      const records = transferer.transfer(zone);
      if (records !== undefined) return records;
    }
    return undefined;
  }
}

function batches(request: DnsRequest, records: readonly ResourceRecord[]): DnsMessage[] {
  const empty = replyTo(request.message, { authoritative: true });
  const emptyBytes = uncompressedBytes(empty);
  const messages: DnsMessage[] = [];
  let batch: ResourceRecord[] = [];
  let bytes = emptyBytes;
  for (const entry of records) {
    const size = uncompressedBytes({ ...empty, questions: [], answers: [entry] });
    if (bytes + size > MAX_BATCH_BYTES && batch.length > 0) {
      messages.push({ ...empty, answers: batch });
      batch = [];
      bytes = emptyBytes;
    }
    batch.push(entry);
    bytes += size;
  }
  messages.push({ ...empty, answers: batch });
  return messages;
}

/** RFC 1995 §3: the client's version is in the authority section. */
function clientSerial({ message }: DnsRequest): number | undefined {
  const soa = message.authorities.find(({ data }) => data.kind === 'soa');
  return soa?.data.kind === 'soa' ? soa.data.serial : undefined;
}

function serialOf([soa]: readonly ResourceRecord[]): number | undefined {
  return soa?.data.kind === 'soa' ? soa.data.serial : undefined;
}

function ruleOf(directive: Directive, blockZones: readonly string[]): TransferRule {
  const zones = zoneArguments(directive.args, blockZones);
  const to = (directive.block ?? []).flatMap(({ name, args }) => {
    if (name.text !== 'to') unknownOption('transfer', name, ['to']);
    return args;
  });
  if (to.length === 0) throw new CorefileError(directive.name, "transfer needs 'to ADDRESS...|*'");
  if (to.some(({ text }) => text === '*')) return { zones };
  return { zones, to: new Set(to.map(clientAddress)) };
}

/** A port, where CoreDNS would send NOTIFY to, does not matter here. */
function clientAddress(token: Token): string {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\]|([^:]+)):\d+$/.exec(token.text) ?? [];
  const address = bracketed ?? plain ?? token.text;
  if (parseIp(address) === undefined)
    throw new CorefileError(token, `to '${token.text}'; expected ADDRESS[:PORT] or *`);
  return address;
}

import { className, Rcode, rcodeName, typeName } from '../../message/codes.ts';
import { uncompressedBytes } from '../../message/encode-message.ts';
import type { DnsMessage } from '../../message/message.ts';
import type { DnsRequest, Outcome } from '../../plugin/plugin.ts';

export const COMMON_FORMAT =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
export const COMBINED_FORMAT: string = `${COMMON_FORMAT} "{>opcode}"`;

const NO_VALUE = '-';

export interface LoggedQuery {
  readonly request: DnsRequest;
  readonly outcome: Outcome;
  readonly durationMs: number;
}

/** Fills the placeholders of plugin/pkg/replacer; `{/plugin/label}` is metadata. Unknown ones are `-`. */
export function formatLogLine(format: string, query: LoggedQuery): string {
  return format.replace(/\{([>/]?[^{}\s]+)\}/g, (_, label: string) => valueOf(label, query));
}

function valueOf(label: string, { request, outcome, durationMs }: LoggedQuery): string {
  const { question, peer, local, message } = request;
  const reply = outcome.kind === 'reply' ? outcome.message : undefined;
  switch (label) {
    case 'type':
      return typeName(question.type);
    case 'name':
      return request.name;
    case 'class':
      return className(question.class);
    case 'proto':
      return peer.protocol;
    case 'size':
      return String(request.queryBytes);
    case 'remote':
      return hostText(peer.address);
    case 'port':
      return String(peer.port);
    case 'local':
      return hostText(local.address);
    case 'rcode':
      // An error that nobody wrote yet is unknown here: CoreDNS logs `NOERROR - 0` for it.
      return rcodeName(reply?.rcode ?? Rcode.NOERROR);
    case 'rsize':
      return reply === undefined ? '0' : String(uncompressedBytes(reply));
    case 'duration':
      return `${formatSeconds(durationMs)}s`;
    case '>rflags':
      return reply === undefined ? NO_VALUE : flagsOf(reply);
    case '>id':
      return String(message.id);
    case '>opcode':
      return String(message.opcode);
    case '>do':
      return String(message.edns?.dnssecOk ?? false);
    case '>bufsize':
      return String(peer.protocol === 'tcp' ? 65_535 : Math.max(512, request.limits.udpBytes));
    default:
      return label.startsWith('/') ? metadataOf(request, label.slice(1)) : NO_VALUE;
  }
}

/** Nine decimals without trailing zeros, as Go prints a float. */
function formatSeconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(9).replace(/\.?0+$/, '');
}

function metadataOf(request: DnsRequest, label: string): string {
  const value = request.metadata.get(label)?.() ?? '';
  return value === '' ? NO_VALUE : value;
}

function hostText(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function flagsOf(message: DnsMessage): string {
  const flags: (readonly [boolean, string])[] = [
    [message.response, 'qr'],
    [message.authoritative, 'aa'],
    [message.truncated, 'tc'],
    [message.recursionDesired, 'rd'],
    [message.recursionAvailable, 'ra'],
    [message.authenticData, 'ad'],
    [message.checkingDisabled, 'cd'],
  ];
  return flags.flatMap(([set, name]) => (set ? name : [])).join(',');
}

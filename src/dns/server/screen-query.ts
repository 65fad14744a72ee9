import { errorMessage } from '../../base/errors.ts';
import { Opcode, Rcode } from '../message/codes.ts';
import { decodeHeader, decodeMessage, HEADER_BYTES } from '../message/decode-message.ts';
import { replyTo, type DnsMessage } from '../message/message.ts';

/** What the header and the syntax of a packet already decide (miekg/dns DefaultMsgAcceptFunc). */
export type Screening =
  | { readonly kind: 'accept'; readonly message: DnsMessage }
  | { readonly kind: 'reject'; readonly reply: DnsMessage; readonly why: string }
  | { readonly kind: 'ignore'; readonly why: string };

/** Answer 1, authority 1 (NOTIFY, IXFR) and additional 2 (OPT, TSIG) records at most. */
const MAX_ANSWERS = 1;
const MAX_AUTHORITIES = 1;
const MAX_ADDITIONALS = 2;

export function screenQuery(packet: Buffer): Screening {
  if (packet.length < HEADER_BYTES) return { kind: 'ignore', why: 'shorter than a header' };
  const header = decodeHeader(packet);
  // Answering a response would let two servers talk to each other for ever.
  if (header.response) return { kind: 'ignore', why: 'it is a response' };
  if (header.opcode !== Opcode.QUERY && header.opcode !== Opcode.NOTIFY)
    return reject(header, Rcode.NOTIMP, `opcode ${header.opcode}`);
  const problem = countProblem(packet);
  if (problem !== undefined) return reject(header, Rcode.FORMERR, problem);
  try {
    return { kind: 'accept', message: decodeMessage(packet) };
  } catch (error) {
    return reject(header, Rcode.FORMERR, errorMessage(error));
  }
}

function countProblem(packet: Buffer): string | undefined {
  const questions = packet.readUInt16BE(4);
  if (questions !== 1) return `${questions} questions`;
  if (packet.readUInt16BE(6) > MAX_ANSWERS) return 'too many answers';
  if (packet.readUInt16BE(8) > MAX_AUTHORITIES) return 'too many authority records';
  if (packet.readUInt16BE(10) > MAX_ADDITIONALS) return 'too many additional records';
  return undefined;
}

/** The reply has no question: it could not be trusted. Other header bits come back as they were. */
function reject(header: DnsMessage, rcode: number, why: string): Screening {
  const opcode = rcode === Rcode.NOTIMP ? header.opcode : Opcode.QUERY;
  const { truncated, recursionDesired, recursionAvailable, authenticData, checkingDisabled } =
    header;
  const reply = replyTo(header, {
    opcode,
    rcode,
    truncated,
    recursionDesired,
    recursionAvailable,
    authenticData,
    checkingDisabled,
    questions: [],
  });
  return { kind: 'reject', reply, why };
}

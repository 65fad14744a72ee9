import { RecordClass, RecordType } from './codes.ts';

/** DNS messages as values. Names are in presentation form (see name.ts). */

export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface SoaData {
  readonly kind: 'soa';
  readonly mname: string;
  readonly rname: string;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  readonly minimumSeconds: number;
}

export interface SrvData {
  readonly kind: 'srv';
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/**
 * What a record holds. `address` is the text of an A or AAAA; `name` the target of CNAME, NS, PTR and
 * DNAME; `text` character strings as Latin-1, so that every byte survives; `raw` everything else,
 * untouched.
 */
export type RecordData =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'name'; readonly target: string }
  | SoaData
  | SrvData
  | { readonly kind: 'mx'; readonly preference: number; readonly exchange: string }
  | { readonly kind: 'text'; readonly strings: readonly string[] }
  | { readonly kind: 'raw'; readonly bytes: Uint8Array };

export interface ResourceRecord {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  readonly data: RecordData;
}

export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

/** The OPT pseudo-record, RFC 6891. The upper rcode bits live in {@link DnsMessage.rcode}. */
export interface Edns {
  readonly udpBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

export interface DnsMessage {
  readonly id: number;
  readonly response: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly recursionDesired: boolean;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly checkingDisabled: boolean;
  /** 12 bits when there is EDNS, else 4. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without the OPT record. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns?: Edns;
}

/** Option codes CoreDNS sends back as it got them (request.supportedOptions); others are dropped. */
export const EdnsOptionCode = {
  NSID: 3,
  SUBNET: 8,
  EXPIRE: 9,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EXTENDED_ERROR: 15,
} as const;

/** A reply to `query`: id, opcode, question, RD and CD are copied, everything else is off or empty. */
export function replyTo(query: DnsMessage, parts: Partial<DnsMessage> = {}): DnsMessage {
  return {
    id: query.id,
    response: true,
    opcode: query.opcode,
    authoritative: false,
    truncated: false,
    recursionDesired: query.opcode === 0 && query.recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: query.opcode === 0 && query.checkingDisabled,
    rcode: 0,
    questions: query.questions.slice(0, 1),
    answers: [],
    authorities: [],
    additionals: [],
    ...parts,
  };
}

/** A fresh query as a stub resolver sends it. */
export function queryFor(
  question: Omit<Question, 'class'> & { readonly class?: number },
  parts: Partial<DnsMessage> = {},
): DnsMessage {
  return {
    id: 0,
    response: false,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    rcode: 0,
    questions: [{ class: RecordClass.IN, ...question }],
    answers: [],
    authorities: [],
    additionals: [],
    ...parts,
  };
}

/** A record in class IN. */
export function resourceRecord(
  name: string,
  type: number,
  ttlSeconds: number,
  data: RecordData,
): ResourceRecord {
  return { name, type, class: RecordClass.IN, ttlSeconds, data };
}

/** A or AAAA by the look of the address. */
export function addressRecord(name: string, ttlSeconds: number, address: string): ResourceRecord {
  const type = address.includes(':') ? RecordType.AAAA : RecordType.A;
  return resourceRecord(name, type, ttlSeconds, { kind: 'address', address });
}

export function nameRecord(
  name: string,
  type: number,
  ttlSeconds: number,
  target: string,
): ResourceRecord {
  return resourceRecord(name, type, ttlSeconds, { kind: 'name', target });
}

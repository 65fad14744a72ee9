import type { Scenario } from '../scenario/scenario.ts';

/**
 * What a load generator and a backend say to each other: messages of fixed length, so that both can be cut
 * from a stream without a parser. HTTP scenarios send well-formed HTTP/1.1, UDP ones DNS queries for a name
 * of their own and answers with one A record (RFC 1035, 4.1), TCP ones only the numbers.
 */
export interface MessageFormat {
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** In latin1, as responses are: a byte a character. */
  request(id: number): string;
  /** `backend` -1: its queue was full. */
  response(id: number, backend: number): string;
  requestId(message: Buffer, offset: number): number;
  responseId(message: Buffer, offset: number): number;
  responseBackend(message: Buffer, offset: number): number;
}

const ID_DIGITS = 8;
const BACKEND_DIGITS = 4;
const FULL_DIGITS = 'full';

export function messageFormat(protocol: Scenario['protocol']): MessageFormat {
  switch (protocol) {
    case 'HTTP':
      return httpFormat();
    case 'UDP':
      return dnsFormat();
    case 'TCP':
      return formatWith({ request: ['', ''], served: ['', ''], full: ['', ''] }, digits);
  }
}

function httpFormat(): MessageFormat {
  const rest = `Content-Length: ${ID_DIGITS + BACKEND_DIGITS}\r\n\r\n`;
  return formatWith(
    {
      request: ['GET /', ' HTTP/1.1\r\nHost: bench\r\n\r\n'],
      served: [`HTTP/1.1 200 OK\r\n${rest}`, ''],
      full: [`HTTP/1.1 503 No\r\n${rest}`, ''],
    },
    digits,
  );
}

/** Asks for `<id>.bench`, in class IN; the backend's number is the last half of the address in the answer. */
function dnsFormat(): MessageFormat {
  const counts = '\0\x01\0\0\0\0\0\0';
  const answered = '\0\x01\0\x01\0\0\0\0';
  const name = String.fromCharCode(ID_DIGITS);
  const question = '\x05bench\0\0\x01\0\x01';
  const record = '\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x0a\0';
  return formatWith(
    {
      // The query id is left 0: the name is what tells queries apart, and a socket asks one at a time.
      request: [`\0\0\x01\0${counts}${name}`, question],
      served: [`\0\0\x81\x80${answered}${name}`, question + record],
      // SERVFAIL. Its record keeps the length what it is.
      full: [`\0\0\x81\x82${answered}${name}`, question + record],
    },
    bytes,
  );
}

/** How the number of a backend is written; -1 is a full queue. */
interface BackendField {
  readonly length: number;
  write(backend: number): string;
  read(message: Buffer, offset: number): number;
}

const digits: BackendField = {
  length: BACKEND_DIGITS,
  write: (backend) => (backend < 0 ? FULL_DIGITS : hex(backend, BACKEND_DIGITS)),
  read(message, offset) {
    const text = message.toString('latin1', offset, offset + BACKEND_DIGITS);
    return text === FULL_DIGITS ? -1 : Number.parseInt(text, 16);
  },
};

const FULL_BYTES = 0xffff;

const bytes: BackendField = {
  length: 2,
  write(backend) {
    const value = backend < 0 ? FULL_BYTES : backend;
    return String.fromCharCode(value >> 8, value & 0xff);
  },
  read(message, offset) {
    const value = message.readUInt16BE(offset);
    return value === FULL_BYTES ? -1 : value;
  },
};

type AroundId = readonly [before: string, after: string];

function formatWith(
  shape: { readonly request: AroundId; readonly served: AroundId; readonly full: AroundId },
  field: BackendField,
): MessageFormat {
  const [requestHead, requestTail] = shape.request;
  const [head, tail] = shape.served;
  const backendAt = head.length + ID_DIGITS + tail.length;
  const readId = (message: Buffer, from: number): number =>
    Number.parseInt(message.toString('latin1', from, from + ID_DIGITS), 16);
  return {
    requestBytes: requestHead.length + ID_DIGITS + requestTail.length,
    responseBytes: backendAt + field.length,
    request: (id) => `${requestHead}${hex(id, ID_DIGITS)}${requestTail}`,
    response(id, backend) {
      const [before, after] = backend < 0 ? shape.full : shape.served;
      return `${before}${hex(id, ID_DIGITS)}${after}${field.write(backend)}`;
    },
    requestId: (message, offset) => readId(message, offset + requestHead.length),
    responseId: (message, offset) => readId(message, offset + head.length),
    responseBackend: (message, offset) => field.read(message, offset + backendAt),
  };
}

function hex(value: number, length: number): string {
  return value.toString(16).padStart(length, '0');
}

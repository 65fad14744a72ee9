/**
 * What a load generator and a backend say to each other: messages of fixed length, so that both can be cut
 * from a stream without a parser. HTTP scenarios send well-formed HTTP/1.1, the others only the numbers.
 */
export interface MessageFormat {
  readonly requestBytes: number;
  readonly responseBytes: number;
  request(id: number): string;
  /** `backend` -1: its queue was full. */
  response(id: number, backend: number): string;
  requestId(message: Buffer, offset: number): number;
  responseId(message: Buffer, offset: number): number;
  responseBackend(message: Buffer, offset: number): number;
}

const ID_DIGITS = 8;
const BACKEND_DIGITS = 4;
const OVERFLOW = 'full';

export function messageFormat(protocol: 'TCP' | 'HTTP'): MessageFormat {
  return protocol === 'HTTP'
    ? formatWith(
        { before: 'GET /', after: ' HTTP/1.1\r\nHost: bench\r\n\r\n' },
        {
          served: `HTTP/1.1 200 OK\r\nContent-Length: ${ID_DIGITS + BACKEND_DIGITS}\r\n\r\n`,
          full: `HTTP/1.1 503 No\r\nContent-Length: ${ID_DIGITS + BACKEND_DIGITS}\r\n\r\n`,
        },
      )
    : formatWith({ before: '', after: '' }, { served: '', full: '' });
}

function formatWith(
  request: { readonly before: string; readonly after: string },
  head: { readonly served: string; readonly full: string },
): MessageFormat {
  const idAt = request.before.length;
  const bodyAt = head.served.length;
  const readHex = (message: Buffer, from: number, digits: number): number =>
    Number.parseInt(message.toString('latin1', from, from + digits), 16);
  return {
    requestBytes: idAt + ID_DIGITS + request.after.length,
    responseBytes: bodyAt + ID_DIGITS + BACKEND_DIGITS,
    request: (id) => `${request.before}${hex(id, ID_DIGITS)}${request.after}`,
    response: (id, backend) =>
      backend < 0
        ? `${head.full}${hex(id, ID_DIGITS)}${OVERFLOW}`
        : `${head.served}${hex(id, ID_DIGITS)}${hex(backend, BACKEND_DIGITS)}`,
    requestId: (message, offset) => readHex(message, offset + idAt, ID_DIGITS),
    responseId: (message, offset) => readHex(message, offset + bodyAt, ID_DIGITS),
    responseBackend(message, offset) {
      const at = offset + bodyAt + ID_DIGITS;
      const text = message.toString('latin1', at, at + BACKEND_DIGITS);
      return text === OVERFLOW ? -1 : Number.parseInt(text, 16);
    },
  };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

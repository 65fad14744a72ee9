/** Length prefix of messages over TCP, RFC 1035 §4.2.2. */
export const LENGTH_PREFIX_BYTES = 2;

/**
 * Cuts a byte stream into messages. Holds at most one incomplete message (64 KiB) besides what one read
 * brought.
 */
export class TcpFraming {
  #pending: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }

  /** The next whole message, or undefined until more bytes come. */
  next(): Buffer | undefined {
    if (this.#pending.length < LENGTH_PREFIX_BYTES) return undefined;
    const end = LENGTH_PREFIX_BYTES + this.#pending.readUInt16BE(0);
    if (this.#pending.length < end) return undefined;
    const message = this.#pending.subarray(LENGTH_PREFIX_BYTES, end);
    this.#pending = this.#pending.subarray(end);
    return message;
  }
}

export function withLength(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(LENGTH_PREFIX_BYTES + message.length);
  framed.writeUInt16BE(message.length, 0);
  framed.set(message, LENGTH_PREFIX_BYTES);
  return framed;
}

/** Cuts a byte stream into messages of one length. Holds at most one incomplete message. */
export class MessageCutter {
  readonly #length: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(length: number) {
    this.#length = length;
  }

  /** Calls `onMessage` for each message that `chunk` completes, with where it begins. */
  push(chunk: Buffer, onMessage: (bytes: Buffer, offset: number) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let offset = 0;
    for (; offset + this.#length <= bytes.length; offset += this.#length) onMessage(bytes, offset);
    this.#rest = bytes.subarray(offset);
  }
}

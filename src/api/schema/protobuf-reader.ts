/** Malformed protobuf; the API server answers 400. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}

export type WireValue =
  | { readonly kind: 'varint'; readonly value: bigint }
  | { readonly kind: 'bytes'; readonly value: Buffer }
  | { readonly kind: 'fixed'; readonly value: Buffer };

export interface WireField {
  readonly number: number;
  readonly value: WireValue;
}

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const MAX_VARINT_BYTES = 10;

/**
 * The fields of one protobuf message, in order (protobuf.dev/programming-guides/encoding).
 *
 * @yields every field, known or not
 */
export function* wireFields(buffer: Buffer): Generator<WireField> {
  let at = 0;
  const varint = (): bigint => {
    let result = 0n;
    for (let index = 0; index < MAX_VARINT_BYTES; index += 1) {
      const byte = buffer[at];
      if (byte === undefined) throw new ProtobufError('unexpected end of message');
      at += 1;
      result |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return BigInt.asUintN(64, result);
    }
    throw new ProtobufError('integer overflow');
  };
  const take = (length: number): Buffer => {
    if (length > buffer.length - at) throw new ProtobufError('unexpected end of message');
    at += length;
    return buffer.subarray(at - length, at);
  };
  while (at < buffer.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    if (number === 0) throw new ProtobufError('illegal field number 0');
    switch (Number(tag & 7n)) {
      case WIRE.varint:
        yield { number, value: { kind: 'varint', value: varint() } };
        break;
      case WIRE.fixed64:
        yield { number, value: { kind: 'fixed', value: take(8) } };
        break;
      case WIRE.bytes:
        yield { number, value: { kind: 'bytes', value: take(Number(varint())) } };
        break;
      case WIRE.fixed32:
        yield { number, value: { kind: 'fixed', value: take(4) } };
        break;
      default:
        throw new ProtobufError(`illegal wire type ${Number(tag & 7n)}`);
    }
  }
}

import type { Random } from '../../base/random.ts';
import type { FourTuple } from './tcp-connection.ts';

/** A keyed hash of a connection's four numbers. Spreads and hides; it is no cryptography. */
export class TupleHash {
  readonly #key: number;

  constructor(random: Random) {
    this.#key = random.uint32();
  }

  /** 32 bits, unsigned. */
  of(tuple: FourTuple): number {
    let hash = mix(this.#key, tuple.localAddress);
    hash = mix(hash, tuple.remoteAddress);
    hash = mix(hash, (tuple.localPort << 16) | tuple.remotePort);
    return finish(hash);
  }
}

/** murmur3's round and finalizer. */
function mix(hash: number, word: number): number {
  let key = Math.imul(word, 0xcc9e_2d51);
  key = (key << 15) | (key >>> 17);
  const mixed = hash ^ Math.imul(key, 0x1b87_3593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe654_6b64) | 0;
}

function finish(hash: number): number {
  let value = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

const SLAB_BYTES = 1024 * 1024;

/** An IPv4 header behind an Ethernet header is 4-byte aligned when the packet starts here modulo 4. */
const ETHERNET_MISALIGNMENT = 2;

/**
 * Cuts packets off slabs. A packet belongs to whoever holds it, for as long as it likes: a slab is
 * collected when its last packet is. Contents are not zeroed.
 */
export class PacketPool {
  #slab: ArrayBuffer = new ArrayBuffer(0);
  #used = 0;

  /** `bytes` of room, of which the first `headroomBytes` precede an Ethernet header. */
  allocate(bytes: number, headroomBytes: number): Uint8Array {
    const skew = (ETHERNET_MISALIGNMENT - headroomBytes) & 3;
    const from = ((this.#used + 3) & ~3) + skew;
    if (from + bytes > this.#slab.byteLength) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES).buffer;
      this.#used = skew + bytes;
      return new Uint8Array(this.#slab, skew, bytes);
    }
    this.#used = from + bytes;
    return new Uint8Array(this.#slab, from, bytes);
  }
}

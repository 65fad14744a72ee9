const SLAB_BYTES = 1024 * 1024;

/** An IPv4 header behind an Ethernet header is 4-byte aligned when the packet starts here modulo 4. */
const ETHERNET_MISALIGNMENT = 2;

/**
 * Cuts packets off slabs. A packet belongs to whoever holds it, for as long as it likes: a slab is
 * collected when its last packet is, and begins anew when all of them have been given back, which spares
 * the processor's caches and the collector. Contents are not zeroed.
 */
export class PacketPool {
  #slab: ArrayBuffer = new ArrayBuffer(0);
  #used = 0;
  /** Packets of the slab that were not given back. */
  #held = 0;

  /** `bytes` of room, of which the first `headroomBytes` precede an Ethernet header. */
  allocate(bytes: number, headroomBytes: number): Uint8Array {
    const skew = (ETHERNET_MISALIGNMENT - headroomBytes) & 3;
    const from = ((this.#used + 3) & ~3) + skew;
    if (from + bytes > this.#slab.byteLength) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES).buffer;
      this.#used = skew + bytes;
      this.#held = 1;
      return new Uint8Array(this.#slab, skew, bytes);
    }
    this.#used = from + bytes;
    this.#held += 1;
    return new Uint8Array(this.#slab, from, bytes);
  }

  /** Takes back a packet of {@link allocate}, at most once: nobody may look at it any more. */
  release(packet: Uint8Array): void {
    if (packet.buffer !== this.#slab) return;
    this.#held -= 1;
    if (this.#held === 0) this.#used = 0;
  }
}

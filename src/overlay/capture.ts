import type { Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { IpAddress } from '../base/ip.ts';
import {
  type PacketDirection,
  pcapngInterface,
  pcapngPacket,
  pcapngSectionHeader,
} from '../wire/pcapng.ts';
import { VXLAN_HEADER_BYTES } from '../wire/vxlan.ts';
import { withOuterHeaders } from './outer-headers.ts';
import type { VtepTap } from './vtep.ts';

export interface CaptureOptions {
  /** Gets the pcapng stream. Stays the caller's; after an error of it nothing more is written. */
  readonly sink: Writable;
  readonly clock: Clock;
  /** What Wireshark shows as the interface, for example `node-1 flannel.1`. */
  readonly name: string;
}

export interface CaptureCounters {
  frames: number;
  /** Frames left out because the sink did not keep up, or has ended. */
  lost: number;
}

/** What may wait in the sink's buffer: a reader that falls behind loses frames, not the cluster its memory. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/**
 * The frames of one point of the network as pcapng, with nanoseconds. One point a file: the same frame at two points
 * looks like a retransmission to Wireshark.
 */
export class Capture {
  readonly counters: CaptureCounters = { frames: 0, lost: 0 };
  readonly #sink: Writable;
  readonly #clock: Clock;
  readonly #wallOffsetNs: bigint;
  #hasFailed = false;

  constructor(options: CaptureOptions) {
    this.#sink = options.sink;
    this.#clock = options.clock;
    // The wall clock has milliseconds only: it places the fine clock once.
    this.#wallOffsetNs = nanoseconds(options.clock.wallNow()) - nanoseconds(options.clock.now());
    this.#sink.on('error', () => {
      this.#hasFailed = true;
    });
    this.#sink.write(pcapngSectionHeader());
    this.#sink.write(pcapngInterface(options.name));
  }

  /** A frame from its Ethernet header on; `comment` becomes the packet's. */
  frame(bytes: Uint8Array, direction: PacketDirection, comment?: string): void {
    if (this.#hasFailed || this.#sink.writableEnded || this.#isBehind()) {
      this.counters.lost += 1;
      return;
    }
    this.counters.frames += 1;
    const timestampNs = this.#wallOffsetNs + nanoseconds(this.#clock.now());
    const packet = { interfaceId: 0, timestampNs, direction, bytes };
    this.#sink.write(pcapngPacket(comment === undefined ? packet : { ...packet, comment }));
  }

  #isBehind(): boolean {
    return this.#sink.writableLength > MAX_WAITING_BYTES;
  }
}

/** A tap that captures inner frames: what the node's stack sends and gets over the tunnel. */
export function innerTap(capture: Capture): VtepTap {
  const inner = (datagram: Uint8Array): Uint8Array => datagram.subarray(VXLAN_HEADER_BYTES);
  return {
    sent: (_peer, datagram) => capture.frame(inner(datagram), 'outbound'),
    received: (_peer, datagram, dropped) =>
      capture.frame(inner(datagram), 'inbound', commentOn(dropped)),
    dropped: (reason, datagram, { direction }) => {
      if (datagram.length > VXLAN_HEADER_BYTES)
        capture.frame(inner(datagram), direction, commentOn(reason));
    },
    unsent: (reason, packet) => capture.frame(inner(packet), 'outbound', commentOn(reason)),
  };
}

/**
 * A tap that captures what is on the wire between the nodes. Outer headers are made up around it, with UDP port
 * `port`: 4789 is the one that Wireshark takes for VXLAN without being told. IPv6 underlays are left out.
 */
export function outerTap(capture: Capture, local: IpAddress, port = 4789): VtepTap {
  const outer = (
    source: IpAddress,
    destination: IpAddress,
    datagram: Uint8Array,
  ): Uint8Array | undefined =>
    source.family === 'IPv4' && destination.family === 'IPv4'
      ? withOuterHeaders(datagram, {
          source: source.value,
          destination: destination.value,
          destinationPort: port,
        })
      : undefined;
  return {
    sent: (peer, datagram) => {
      const frame = outer(local, peer, datagram);
      if (frame !== undefined) capture.frame(frame, 'outbound');
    },
    received: (peer, datagram, dropped) => {
      const frame = outer(peer, local, datagram);
      if (frame !== undefined) capture.frame(frame, 'inbound', commentOn(dropped));
    },
    dropped: (reason, datagram, { direction, peer = NOBODY }) => {
      if (datagram.length === 0) return;
      const frame =
        direction === 'outbound' ? outer(local, peer, datagram) : outer(peer, local, datagram);
      if (frame !== undefined) capture.frame(frame, direction, commentOn(reason));
    },
    // It never got as far as the wire.
    unsent: () => undefined,
  };
}

/** What is sent to a MAC that no entry has goes nowhere. */
const NOBODY: IpAddress = { family: 'IPv4', value: 0 };

function commentOn(dropped: string | undefined): string | undefined {
  return dropped === undefined ? undefined : `dropped: ${dropped}`;
}

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1e6));
}

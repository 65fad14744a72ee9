import type { IpAddress } from '../base/ip.ts';
import {
  type DatagramPort,
  type DatagramSender,
  MAX_DATAGRAM_BYTES,
  type OnSent,
} from './datagram-port.ts';
import type { DropPlace, VtepDropReason, VtepDrops } from './vtep-drops.ts';

export interface PeerCounters {
  sentFrames: number;
  sentBytes: number;
  receivedFrames: number;
  receivedBytes: number;
}

const DROP_BY_ERROR: Readonly<Record<string, VtepDropReason>> = {
  ECONNREFUSED: 'peer-refused',
  EMSGSIZE: 'too-big',
};

/**
 * The way to one other VTEP: a connected socket, which costs a quarter less than an unconnected one and learns when
 * nobody listens at the other end. Its source port is the system's choice, as a kernel VTEP's is by flow.
 */
export class VtepPeer {
  readonly address: IpAddress;
  readonly counters: PeerCounters = {
    sentFrames: 0,
    sentBytes: 0,
    receivedFrames: 0,
    receivedBytes: 0,
  };
  readonly #sender: DatagramSender;
  readonly #drops: VtepDrops;
  readonly #place: DropPlace;
  #isClosed = false;

  constructor(options: {
    readonly udp: DatagramPort;
    readonly remote: IpAddress;
    readonly port: number;
    readonly drops: VtepDrops;
  }) {
    const { udp, remote, port, drops } = options;
    this.address = remote;
    this.#drops = drops;
    this.#place = { direction: 'outbound', peer: remote };
    this.#sender = udp.connect({
      remote,
      port,
      onLost: (code, datagrams) => {
        const reason = DROP_BY_ERROR[code] ?? 'send-failed';
        // The kernel does not say which, nor give them back.
        for (let left = datagrams; left > 0; left -= 1) drops.drop(reason, EMPTY, this.#place);
      },
    });
  }

  /** As {@link DatagramSender.send}. False when it was dropped. */
  send(datagram: Uint8Array, onSent?: OnSent): boolean {
    const refusal = this.#offer(datagram, onSent);
    if (refusal !== undefined) {
      this.#drops.drop(refusal, datagram, this.#place);
      return false;
    }
    this.counters.sentFrames += 1;
    this.counters.sentBytes += datagram.length;
    return true;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#sender.close();
  }

  #offer(datagram: Uint8Array, onSent: OnSent | undefined): VtepDropReason | undefined {
    if (datagram.length > MAX_DATAGRAM_BYTES) return 'too-big';
    if (this.#isClosed) return 'send-failed';
    return this.#sender.send(datagram, onSent) ? undefined : 'send-queue-full';
  }
}

const EMPTY = new Uint8Array(0);

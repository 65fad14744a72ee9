import type { Socket } from 'node:dgram';
import { errorCode } from '../base/errors.ts';
import { formatIp, type IpAddress } from '../base/ip.ts';
import { closeUdp, createUdpSocket } from './udp-socket.ts';
import type { DropPlace, VtepDropReason, VtepDrops } from './vtep-drops.ts';

export interface PeerCounters {
  sentFrames: number;
  sentBytes: number;
  receivedFrames: number;
  receivedBytes: number;
}

/** UDP over IPv4, also the limit that podwire keeps over IPv6. */
const MAX_DATAGRAM_BYTES = 65_507;

/** What libuv may hold for one peer while the system takes nothing: about twice a default socket buffer. */
const MAX_QUEUED_BYTES = 512 * 1024;

const MAX_WAITING = 64;

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
  readonly #socket: Socket;
  readonly #drops: VtepDrops;
  readonly #place: DropPlace;
  /** What was sent before the socket was connected, some turns of the loop; undefined afterwards. */
  #waiting: Uint8Array[] | undefined = [];
  #isClosed = false;

  constructor(options: {
    readonly local: IpAddress;
    readonly remote: IpAddress;
    readonly port: number;
    readonly drops: VtepDrops;
  }) {
    this.address = options.remote;
    this.#drops = options.drops;
    this.#place = { direction: 'outbound', peer: options.remote };
    this.#socket = createUdpSocket(options.remote.family);
    // The error of an earlier datagram; the kernel does not say which, nor give it back.
    this.#socket.on('error', (error) => this.#drops.drop(reasonOf(error), EMPTY, this.#place));
    this.#socket.bind({ address: formatIp(options.local), port: 0, exclusive: true }, () => {
      this.#socket.connect(options.port, formatIp(options.remote), () => {
        const waiting = this.#waiting ?? [];
        this.#waiting = undefined;
        for (const datagram of waiting) this.#socket.send(datagram, this.#onSent);
      });
    });
  }

  /** Sends at once; `datagram` must not change afterwards. False when it was dropped. */
  send(datagram: Uint8Array): boolean {
    const refusal = this.#refusal(datagram);
    if (refusal !== undefined) {
      this.#drops.drop(refusal, datagram, this.#place);
      return false;
    }
    this.counters.sentFrames += 1;
    this.counters.sentBytes += datagram.length;
    if (this.#waiting === undefined) this.#socket.send(datagram, this.#onSent);
    else this.#waiting.push(datagram);
    return true;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return closeUdp(this.#socket);
  }

  #refusal(datagram: Uint8Array): VtepDropReason | undefined {
    if (datagram.length > MAX_DATAGRAM_BYTES) return 'too-big';
    if (this.#isClosed) return 'send-failed';
    const isFull =
      this.#waiting === undefined
        ? this.#socket.getSendQueueSize() > MAX_QUEUED_BYTES
        : this.#waiting.length >= MAX_WAITING;
    return isFull ? 'send-queue-full' : undefined;
  }

  /** Without a callback Node swallows the errors of send. */
  readonly #onSent = (error: Error | null): void => {
    if (error !== null) this.#drops.drop(reasonOf(error), EMPTY, this.#place);
  };
}

const EMPTY = new Uint8Array(0);

function reasonOf(error: unknown): VtepDropReason {
  return DROP_BY_ERROR[errorCode(error) ?? ''] ?? 'send-failed';
}

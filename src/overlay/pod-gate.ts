import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../base/clock.ts';
import { formatIpv4 } from '../base/ip.ts';
import { resetStream } from '../base/reset-stream.ts';
import type { NetInterface } from '../netstack/ip/net-interface.ts';
import type { TcpListener } from '../netstack/tcp/listeners.ts';
import type { TcpSocket } from '../netstack/tcp/tcp-socket.ts';
import { TcpStream } from '../netstack/tcp-stream.ts';
import { readUint16, readUint32 } from '../wire/bytes.ts';
import { ETHERNET_HEADER_BYTES, EtherType } from '../wire/ethernet.ts';
import { IPV4_HEADER_BYTES, IpProtocol } from '../wire/ipv4.ts';
import { TCP_HEADER_BYTES, TcpFlag } from '../wire/tcp.ts';
import type { StackDriver } from './stack-driver.ts';
import { splice } from './splice.ts';

/**
 * Opens a connection to a pod of this node, from the address of whoever wants it, as the pod is to see. The stream
 * emits `connect` or `error`; the gate owns it from then on.
 */
export type PodDialer = (target: {
  readonly address: string;
  readonly port: number;
  readonly source: string;
}) => Duplex;

export interface PodGateOptions {
  readonly driver: StackDriver;
  readonly netInterface: NetInterface;
  readonly clock: Clock;
  readonly dialPod: PodDialer;
  /** Whether a pod of this node has the address. */
  readonly isPod: (address: number) => boolean;
}

export interface PodGateCounters {
  accepted: number;
  refused: number;
  /** Pods were dialled for SYNs that led to no connection. */
  abandoned: number;
}

interface Syn {
  readonly key: string;
  readonly source: number;
  readonly address: number;
  readonly port: number;
}

/** A connection from its SYN until both ends are closed. */
interface Admission {
  /** The pod's end. */
  readonly stream: Duplex;
  readonly syn: Syn;
  state: 'dialling' | 'handshake' | 'open';
  /** Ends a handshake that the client does not finish. */
  timer: Timer | undefined;
}

/** SYNs that may wait for their pods; more are dropped. Linux: net.core.somaxconn. */
const MAX_WAITING = 4096;
/** Longer than five retransmitted SYN-ACKs take. */
const HANDSHAKE_MS = 75_000;
const SYN_ONLY = TcpFlag.syn;
const SYN_MASK = TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin;

/**
 * Lets connections from other nodes into the pods of this one. A SYN waits here until its pod's server has been
 * dialled: only then does the stack answer it, so that a client is refused at once where no server listens, as it
 * would be by the pod's kernel.
 */
export class PodGate {
  readonly counters: PodGateCounters = { accepted: 0, refused: 0, abandoned: 0 };
  readonly #options: PodGateOptions;
  readonly #admissions = new Map<string, Admission>();
  readonly #listeners = new Map<number, TcpListener>();
  /** Admissions that are not open yet. */
  #waiting = 0;

  constructor(options: PodGateOptions) {
    this.#options = options;
  }

  /** Connections that are open or opening. */
  get size(): number {
    return this.#admissions.size;
  }

  /** Takes the frame if it opens a connection to a pod. False: it is the stack's. */
  intercept(bytes: Uint8Array, from: number, to: number): boolean {
    const syn = synOf(bytes, from, to);
    if (syn === undefined || !this.#options.isPod(syn.address)) return false;
    // Sent again: until the pod has answered the first one waits, from then on the stack replies.
    const known = this.#admissions.get(syn.key);
    if (known !== undefined) return known.state === 'dialling';
    const { driver, netInterface } = this.#options;
    if (this.#waiting >= MAX_WAITING) driver.stack.drops.drop('tcp-backlog-full', bytes);
    else this.#dial(syn, () => driver.process(netInterface, bytes, from, to));
    return true;
  }

  /** Resets what is open or opening to this pod. */
  removePod(address: number): void {
    for (const { syn, stream } of this.#admissions.values()) {
      if (syn.address !== address) continue;
      this.#unlisten(syn);
      resetStream(stream);
    }
  }

  /** Resets what is open or opening. */
  end(): void {
    for (const listener of this.#listeners.values()) listener.close();
    for (const admission of this.#admissions.values()) {
      admission.timer?.cancel();
      resetStream(admission.stream);
    }
    this.#listeners.clear();
    this.#admissions.clear();
  }

  /** `proceed` gives the SYN to the stack, which answers with a SYN-ACK if somebody listens and else with a reset. */
  #dial(syn: Syn, proceed: () => void): void {
    const stream = this.#options.dialPod({
      address: formatIpv4(syn.address),
      port: syn.port,
      source: formatIpv4(syn.source),
    });
    const admission: Admission = { stream, syn, state: 'dialling', timer: undefined };
    this.#admissions.set(syn.key, admission);
    this.#waiting += 1;
    stream.on('error', () => undefined);
    stream.once('connect', () => {
      admission.state = 'handshake';
      admission.timer = this.#options.clock.setTimer(HANDSHAKE_MS, () => stream.destroy());
      this.#listen(syn);
      proceed();
    });
    stream.once('close', () => {
      const { state } = admission;
      if (state === 'open' || !this.#forget(admission)) return;
      this.#waiting -= 1;
      this.counters[state === 'dialling' ? 'refused' : 'abandoned'] += 1;
      if (state === 'handshake') return;
      this.#unlisten(syn);
      proceed();
    });
  }

  #accept(socket: TcpSocket): void {
    const admission = this.#admissions.get(
      keyOf(socket.remoteAddress, socket.remotePort, socket.localAddress, socket.localPort),
    );
    if (admission?.state !== 'handshake') {
      // The pod hung up before its client was there.
      socket.abort();
      return;
    }
    admission.timer?.cancel();
    admission.state = 'open';
    this.#waiting -= 1;
    this.counters.accepted += 1;
    splice(new TcpStream(socket, { clock: this.#options.clock }), admission.stream, () =>
      this.#forget(admission),
    );
  }

  #listen({ address, port }: Syn): void {
    const key = listenerKey(address, port);
    if (this.#listeners.has(key)) return;
    const listener = this.#options.driver.stack.tcp.listen(address, port, {
      onConnection: (socket) => this.#accept(socket),
    });
    if (listener !== undefined) this.#listeners.set(key, listener);
  }

  /** The stack refuses from now on; handshakes under way go on. */
  #unlisten({ address, port }: Syn): void {
    const key = listenerKey(address, port);
    this.#listeners.get(key)?.close();
    this.#listeners.delete(key);
  }

  /** False when it was forgotten before. */
  #forget(admission: Admission): boolean {
    admission.timer?.cancel();
    if (this.#admissions.get(admission.syn.key) !== admission) return false;
    return this.#admissions.delete(admission.syn.key);
  }
}

function listenerKey(address: number, port: number): number {
  return address * 0x1_0000 + port;
}

function keyOf(source: number, sourcePort: number, address: number, port: number): string {
  return `${source}:${sourcePort}>${address}:${port}`;
}

/** What a frame opens; undefined when it opens nothing. Only looks: the stack checks. */
function synOf(bytes: Uint8Array, from: number, to: number): Syn | undefined {
  const ip = from + ETHERNET_HEADER_BYTES;
  if (to - ip < IPV4_HEADER_BYTES + TCP_HEADER_BYTES) return undefined;
  if (bytes[ip + 9] !== IpProtocol.tcp || readUint16(bytes, ip - 2) !== EtherType.ipv4)
    return undefined;
  const tcp = ip + 4 * ((bytes[ip] ?? 0) & 0x0f);
  if (((bytes[tcp + 13] ?? 0) & SYN_MASK) !== SYN_ONLY) return undefined;
  const source = readUint32(bytes, ip + 12);
  const address = readUint32(bytes, ip + 16);
  const sourcePort = readUint16(bytes, tcp);
  const port = readUint16(bytes, tcp + 2);
  return { key: keyOf(source, sourcePort, address, port), source, address, port };
}

import type { Clock, Timer } from '../base/clock.ts';
import { formatIpv4 } from '../base/ip.ts';
import type { Datagram, UdpSocket } from '../netstack/udp-layer.ts';
import { readUint16, readUint32 } from '../wire/bytes.ts';
import { ETHERNET_HEADER_BYTES, EtherType } from '../wire/ethernet.ts';
import { IPV4_HEADER_BYTES, IpProtocol } from '../wire/ipv4.ts';
import { UDP_HEADER_BYTES } from '../wire/udp.ts';
import type { DatagramChannel } from './datagram-channel.ts';
import type { StackDriver } from './stack-driver.ts';

/**
 * Opens a channel to a pod of this node, from the address of whoever sends, as the pod is to see. `refused` when the
 * pod has no server there for what was sent.
 */
export type PodDatagramDialer = (
  target: { readonly address: string; readonly port: number; readonly source: string },
  receive: (message: Uint8Array) => void,
  refused: () => void,
) => DatagramChannel;

export interface PodDatagramsOptions {
  readonly driver: StackDriver;
  readonly clock: Clock;
  readonly dialPodDatagrams: PodDatagramDialer;
  /** Whether a pod of this node has the address. */
  readonly isPod: (address: number) => boolean;
}

export interface PodDatagramCounters {
  /** Flows that were opened, by the pair of both ends' addresses and ports. */
  opened: number;
  /** Datagrams that no server of the pod wanted: their senders were told. */
  refused: number;
  /** Ended because there were too many: the one idle longest. */
  evicted: number;
}

interface Flow {
  readonly key: string;
  readonly port: BoundPort;
  readonly channel: DatagramChannel;
  lastActiveAt: number;
}

/** A port of a pod that somebody has sent to. */
interface BoundPort {
  readonly key: number;
  readonly address: number;
  readonly socket: UdpSocket;
  flows: number;
}

/** Linux: nf_conntrack_udp_timeout_stream. */
const IDLE_MS = 120_000;
const MAX_FLOWS = 16_384;
/**
 * Ports that were sent to at all. Beyond, the one that waits longest for its first whole datagram makes room, or the
 * stack answers that the new one is unreachable.
 */
const MAX_PORTS = 16_384;

/**
 * Lets datagrams from other nodes to the pods of this one: a channel to the pod for each sender, until it has been
 * idle for two minutes. At most 16,384 of them; the one idle longest makes room.
 */
export class PodDatagrams {
  readonly counters: PodDatagramCounters = { opened: 0, refused: 0, evicted: 0 };
  readonly #options: PodDatagramsOptions;
  readonly #ports = new Map<number, BoundPort>();
  /** Ports without a flow, oldest first: what was sent there has not come through whole. */
  readonly #unused = new Set<BoundPort>();
  /** Least recently active first. */
  readonly #flows = new Map<string, Flow>();
  #timer: Timer | undefined;

  constructor(options: PodDatagramsOptions) {
    this.#options = options;
  }

  /** Sees every frame before the stack does: the stack must know the port when the datagram gets there. */
  look(bytes: Uint8Array, from: number, to: number): void {
    const ip = from + ETHERNET_HEADER_BYTES;
    if (to - ip < IPV4_HEADER_BYTES + UDP_HEADER_BYTES) return;
    if (bytes[ip + 9] !== IpProtocol.udp || readUint16(bytes, ip - 2) !== EtherType.ipv4) return;
    // Only the first fragment has the ports.
    if ((readUint16(bytes, ip + 6) & 0x1fff) !== 0) return;
    const address = readUint32(bytes, ip + 16);
    if (!this.#options.isPod(address)) return;
    this.#bind(address, readUint16(bytes, ip + 4 * ((bytes[ip] ?? 0) & 0x0f) + 2));
  }

  /** Ends every flow with this pod. */
  removePod(address: number): void {
    for (const flow of this.#flows.values()) if (flow.port.address === address) this.#close(flow);
    for (const port of this.#ports.values()) if (port.address === address) this.#unbind(port);
  }

  end(): void {
    this.#timer?.cancel();
    for (const flow of this.#flows.values()) this.#close(flow);
    for (const port of this.#ports.values()) this.#unbind(port);
  }

  #bind(address: number, port: number): void {
    const key = address * 0x1_0000 + port;
    if (this.#ports.has(key)) return;
    if (this.#ports.size >= MAX_PORTS) {
      const [unused] = this.#unused;
      if (unused === undefined) return;
      this.#unbind(unused);
    }
    const socket = this.#options.driver.stack.udp.bind(
      { address, port },
      { datagram: (datagram) => this.#receive(key, datagram) },
    );
    if (socket === undefined) return;
    const bound = { key, address, socket, flows: 0 };
    this.#ports.set(key, bound);
    this.#unused.add(bound);
  }

  #receive(portKey: number, { payload, remoteAddress, remotePort }: Datagram): void {
    const port = this.#ports.get(portKey);
    if (port === undefined) return;
    const key = `${remoteAddress}:${remotePort}>${portKey}`;
    const flow = this.#flows.get(key) ?? this.#open(key, port, remoteAddress, remotePort);
    this.#touch(flow);
    flow.channel.send(payload);
  }

  #open(key: string, port: BoundPort, remoteAddress: number, remotePort: number): Flow {
    const [oldest] = this.#flows.values();
    if (oldest !== undefined && this.#flows.size >= MAX_FLOWS) {
      this.counters.evicted += 1;
      this.#close(oldest);
    }
    const { driver, dialPodDatagrams } = this.#options;
    const channel = dialPodDatagrams(
      {
        address: formatIpv4(port.address),
        port: port.socket.localPort,
        source: formatIpv4(remoteAddress),
      },
      (message) => {
        this.#touch(flow);
        port.socket.send(driver.now(), { address: remoteAddress, port: remotePort }, message);
        driver.wake();
      },
      () => {
        this.counters.refused += 1;
        port.socket.refuse(driver.now(), { address: remoteAddress, port: remotePort });
        driver.wake();
      },
    );
    const flow: Flow = { key, port, channel, lastActiveAt: 0 };
    port.flows += 1;
    this.#unused.delete(port);
    this.counters.opened += 1;
    return flow;
  }

  /** To the end of the order. */
  #touch(flow: Flow): void {
    flow.lastActiveAt = this.#options.clock.now();
    this.#flows.delete(flow.key);
    this.#flows.set(flow.key, flow);
    this.#timer ??= this.#options.clock.setTimer(IDLE_MS, () => this.#expire());
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.#options.clock.now();
    for (const flow of this.#flows.values()) {
      const leftMs = flow.lastActiveAt + IDLE_MS - now;
      if (leftMs > 0) {
        this.#timer = this.#options.clock.setTimer(leftMs, () => this.#expire());
        return;
      }
      this.#close(flow);
    }
  }

  #close(flow: Flow): void {
    if (!this.#flows.delete(flow.key)) return;
    flow.channel.close();
    flow.port.flows -= 1;
    if (flow.port.flows === 0) this.#unbind(flow.port);
  }

  #unbind(port: BoundPort): void {
    port.socket.close();
    this.#ports.delete(port.key);
    this.#unused.delete(port);
  }
}

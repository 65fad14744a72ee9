import type { Random } from '../base/random.ts';
import { IpProtocol } from '../wire/ipv4.ts';
import { UnreachableCode } from '../wire/icmp.ts';
import { DropLog, type DropObserver } from './drop-log.ts';
import { IcmpLayer, type IcmpReport } from './icmp-layer.ts';
import type { Fib } from './ip/fib.ts';
import { IpInput } from './ip/ip-input.ts';
import { type Emit, IpOutput } from './ip/ip-output.ts';
import type { NeighbourCache } from './ip/neighbour-cache.ts';
import { createInterface, type InterfaceConfig, type NetInterface } from './ip/net-interface.ts';
import { resolveTcpConfig, type TcpConfig } from './tcp/tcp-config.ts';
import { TcpLayer } from './tcp/tcp-layer.ts';
import { UdpLayer } from './udp-layer.ts';

export interface StackOptions {
  readonly random: Random;
  readonly tcp?: Partial<TcpConfig>;
  /** Sees every dropped packet. */
  readonly onDrop?: DropObserver;
  /**
   * The application asked for something while neither `process` nor `dispatch` ran: dispatch soon. Called
   * once until then.
   */
  readonly onWake?: () => void;
}

/** A bound on how often a stack talks to itself within one dispatch. */
const MAX_LOOPED_ROUNDS = 64;

/**
 * A TCP/IP host without I/O: ARP, IPv4, ICMP, UDP and TCP over any number of interfaces and addresses.
 * Three calls drive it, all with the time as an argument, in milliseconds on any monotonic scale:
 *
 * - `process` takes one frame in and never sends;
 * - `dispatch` runs the timers that are due, tells the applications, and emits what is to be sent;
 * - `pollAt` says when dispatch has to be called if nothing happens before. Ask after every `process` and
 *   `dispatch`: a busy connection sends in bursts and wants to be called again at once.
 *
 * It owns no timer and no socket; dropping it frees everything.
 */
export class Stack {
  readonly drops: DropLog;
  readonly tcp: TcpLayer;
  readonly udp: UdpLayer;
  readonly icmp: IcmpLayer;
  readonly #output: IpOutput;
  readonly #input: IpInput;
  readonly #addresses = new Set<number>();
  readonly #interfaces = new Map<string, NetInterface>();
  #isBusy = false;

  constructor(options: StackOptions) {
    const { random } = options;
    this.drops = new DropLog(options.onDrop);
    const onUnreachable = (address: number): void => this.tcp.neighbourUnreachable(address);
    this.#output = new IpOutput(this.#addresses, this.drops, random.fork('ip'), onUnreachable);
    this.icmp = new IcmpLayer(this.#output, this.drops, {
      isInFlight: (report) => this.#transportOf(report)?.isInFlight(report) ?? false,
      report: (now, report) => this.#report(now, report),
    });
    this.udp = new UdpLayer(this.#output, this.drops, (now, packet, code) =>
      this.icmp.sendUnreachable(now, packet, code),
    );
    this.tcp = new TcpLayer(
      this.#output,
      this.drops,
      random.fork('tcp'),
      resolveTcpConfig(options.tcp ?? {}),
      () => {
        if (!this.#isBusy) options.onWake?.();
      },
    );
    this.#input = this.#createInput();
  }

  get fib(): Fib {
    return this.#output.fib;
  }

  get neighbours(): NeighbourCache {
    return this.#output.neighbours;
  }

  get interfaces(): readonly NetInterface[] {
    return [...this.#interfaces.values()];
  }

  get addresses(): ReadonlySet<number> {
    return this.#addresses;
  }

  /** Payload of fragments whose datagrams are not whole yet. */
  get reassemblyBytes(): number {
    return this.#input.reassembly.heldBytes;
  }

  addInterface(config: InterfaceConfig): NetInterface {
    if (this.#interfaces.has(config.name))
      throw new RangeError(`interface ${config.name} exists already`);
    const netInterface = createInterface(config);
    this.#interfaces.set(config.name, netInterface);
    return netInterface;
  }

  /** From now on the stack answers ARP for `address`, accepts packets for it and may send from it. */
  addAddress(address: number): void {
    this.#addresses.add(address);
  }

  /** Ends what uses the address, silently as a pulled plug. */
  removeAddress(address: number): void {
    if (this.#addresses.delete(address)) this.tcp.removeAddress(address);
  }

  /**
   * Takes the frame `bytes[from, to)`, from its Ethernet header on. The stack keeps views of it as long as
   * an application has not read its data: the caller must not write to it any more.
   */
  process(
    now: number,
    netInterface: NetInterface,
    bytes: Uint8Array,
    from = 0,
    to: number = bytes.length,
  ): void {
    const wasBusy = this.#isBusy;
    this.#isBusy = true;
    this.#input.receive(now, netInterface, bytes, from, to);
    this.#isBusy = wasBusy;
  }

  /** Not reentrant: `emit` and the applications' handlers must not call `process` or `dispatch`. */
  dispatch(now: number, emit: Emit): void {
    this.#isBusy = true;
    this.#output.beginDispatch(emit);
    try {
      this.#runDispatch(now);
    } finally {
      // A handler that throws loses nothing: what was not done waits for the next dispatch.
      this.#output.endDispatch();
      this.#isBusy = false;
    }
  }

  /** Takes back a packet that was emitted, at most once, when nobody needs it any more. Not giving back does no harm. */
  release(packet: Uint8Array): void {
    this.#output.release(packet);
  }

  /** -Infinity: at once. Infinity: not before something happens. */
  pollAt(): number {
    if (this.tcp.hasPending || this.#output.hasPending) return Number.NEGATIVE_INFINITY;
    return Math.min(
      this.tcp.pollAt(),
      this.#output.neighbours.pollAt(),
      this.#input.reassembly.pollAt(),
    );
  }

  #runDispatch(now: number): void {
    this.#input.expire(now);
    this.#output.neighbours.expire(now);
    this.tcp.dispatch(now);
    for (let round = 0; round < MAX_LOOPED_ROUNDS; round += 1) {
      const looped = this.#output.takeLooped();
      if (looped.length === 0) return;
      for (const packet of looped)
        this.#input.receive(now, this.#output.loopback, packet, 0, packet.length);
      this.tcp.dispatch(now);
    }
  }

  #createInput(): IpInput {
    return new IpInput(
      this.#addresses,
      this.#output,
      {
        tcp: (now, packet) => this.tcp.receive(now, packet),
        udp: (now, packet) => this.udp.receive(now, packet),
        icmp: (now, packet) => this.icmp.receive(now, packet),
        other: (now, packet) => {
          this.drops.drop('ipv4-unknown-protocol', packet.bytes);
          this.icmp.sendUnreachable(now, packet, UnreachableCode.protocol);
        },
        reassemblyTimeout: (now, first) => this.icmp.sendReassemblyTimeout(now, first),
      },
      this.drops,
    );
  }

  #transportOf(report: IcmpReport): TcpLayer | UdpLayer | undefined {
    if (report.protocol === IpProtocol.tcp) return this.tcp;
    return report.protocol === IpProtocol.udp ? this.udp : undefined;
  }

  #report(now: number, report: IcmpReport): void {
    if (report.protocol === IpProtocol.tcp) this.tcp.report(now, report);
    else this.udp.report(report);
  }
}

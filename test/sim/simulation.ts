import { ManualClock, type Timer } from '../../src/base/clock.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import type { NetInterface } from '../../src/netstack/ip/net-interface.ts';
import { Stack } from '../../src/netstack/stack.ts';
import type { TcpConfig } from '../../src/netstack/tcp/tcp-config.ts';
import type { TcpSocket } from '../../src/netstack/tcp/tcp-socket.ts';
import { FaultyLink, type LinkFaults } from '../../src/overlay/link-faults.ts';

export interface SimulationOptions {
  readonly seed: string;
  readonly mtuBytes?: number;
  readonly tcp?: Partial<TcpConfig>;
  /** Both directions, unless `backward` differs. */
  readonly forward?: LinkFaults;
  readonly backward?: LinkFaults;
}

/** A stack in virtual time: dispatched after every frame, wake-up and deadline. */
export class SimHost {
  readonly stack: Stack;
  readonly address: number;
  readonly netInterface: NetInterface;
  /** The largest IPv4 packet sent. */
  largestPacketBytes = 0;
  readonly #clock: ManualClock;
  readonly #link: FaultyLink;
  #peer: SimHost | undefined;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(
    clock: ManualClock,
    random: Random,
    address: number,
    link: FaultyLink,
    options: SimulationOptions,
  ) {
    this.#clock = clock;
    this.#link = link;
    this.address = address;
    this.stack = new Stack({
      random,
      tcp: { timeWaitMs: 1000, ...options.tcp },
      onWake: () => this.#schedule(),
    });
    const mtuBytes = options.mtuBytes ?? 1450;
    this.netInterface = this.stack.addInterface({ name: 'eth0', mac: address, mtuBytes });
    this.stack.addAddress(address);
    this.stack.fib.replace({
      destination: { family: 'IPv4', base: 0, prefixLength: 0 },
      netInterface: this.netInterface,
    });
  }

  connect(peer: SimHost): void {
    this.#peer = peer;
    this.stack.neighbours.setPermanent(this.netInterface, peer.address, peer.address);
  }

  dispatch(): void {
    const now = this.#clock.now();
    this.stack.dispatch(now, (_, packet) => this.#transmit(now, packet));
    this.#schedule();
  }

  #transmit(now: number, packet: Uint8Array): void {
    this.largestPacketBytes = Math.max(this.largestPacketBytes, packet.length - 14);
    const fate = this.#link.send(now, packet);
    if (fate.kind === 'dropped') return;
    for (const arrival of fate.arrivals)
      this.#clock.setTimer(arrival.atMs - now, () => this.#peer?.receive(arrival.packet));
  }

  receive(packet: Uint8Array): void {
    this.stack.process(this.#clock.now(), this.netInterface, packet);
    this.dispatch();
  }

  #schedule(): void {
    const at = this.stack.pollAt();
    if (at === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimer(at - this.#clock.now(), () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.dispatch();
    });
  }
}

/** Two hosts, `client` and `server`, and the link between them. */
export class Simulation {
  readonly clock: ManualClock = new ManualClock();
  readonly client: SimHost;
  readonly server: SimHost;
  /** Client to server, and back. */
  readonly forward: FaultyLink;
  readonly backward: FaultyLink;

  constructor(options: SimulationOptions) {
    const random = seededRandom(options.seed);
    const forward = options.forward ?? {};
    this.forward = new FaultyLink(random.fork('forward'), forward);
    this.backward = new FaultyLink(random.fork('backward'), options.backward ?? forward);
    const { clock } = this;
    this.client = new SimHost(clock, random.fork('c'), 0xc000_0201, this.forward, options);
    this.server = new SimHost(clock, random.fork('s'), 0xc000_0202, this.backward, options);
    this.client.connect(this.server);
    this.server.connect(this.client);
  }

  /** Runs until nothing is due any more, or until `untilMs`. */
  run(untilMs: number = Number.POSITIVE_INFINITY): void {
    for (
      let at = this.clock.nextDueAt;
      at !== undefined && at <= untilMs;
      at = this.clock.nextDueAt
    )
      this.clock.runNext();
  }

  dial(port: number): TcpSocket {
    const target = { source: this.client.address, address: this.server.address, port };
    const outcome = this.client.stack.tcp.connect(this.clock.now(), target, {});
    if (outcome.kind !== 'connecting') throw new Error(outcome.kind);
    return outcome.socket;
  }
}

/** Writes `bytes` as fast as the socket takes them, then ends its direction. */
export function feed(socket: TcpSocket, bytes: Uint8Array, chunkBytes: number): () => void {
  let at = 0;
  return () => {
    while (at < bytes.length) {
      const chunk = bytes.subarray(at, at + chunkBytes);
      const accepted = socket.write(chunk);
      at += accepted;
      if (accepted < chunk.length) return;
    }
    socket.end();
  };
}

/** Reads everything there is. */
export function drain(socket: TcpSocket, take: (chunk: Uint8Array) => void): void {
  for (let chunk = socket.read(); chunk !== undefined; chunk = socket.read()) take(chunk);
}

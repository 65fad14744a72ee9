// A stack below TCP under test: frames in, frames out.
import { seededRandom } from '../../src/base/random.ts';
import type { DropObserver } from '../../src/netstack/drop-log.ts';
import type { InterfaceConfig, NetInterface } from '../../src/netstack/ip/net-interface.ts';
import { Stack } from '../../src/netstack/stack.ts';
import { decodeArp, describeArp, emptyArp } from '../../src/wire/arp.ts';
import { decodeEthernet, emptyEthernet, EtherType } from '../../src/wire/ethernet.ts';
import { decodeIcmp, describeIcmp, emptyIcmp, encodeIcmp } from '../../src/wire/icmp.ts';
import {
  decodeIpv4,
  describeIpv4,
  emptyIpv4,
  IpProtocol,
  type Ipv4Header,
} from '../../src/wire/ipv4.ts';
import { BROADCAST_MAC } from '../../src/wire/mac.ts';
import { decodeUdp, describeUdp, emptyUdp } from '../../src/wire/udp.ts';
import { IP_AT, ipFrame, PEER_IP, PEER_MAC, STACK_IP, STACK_MAC, TRANSPORT_AT } from './frames.ts';

/** A stack on one link, with a clock that stands still until told. */
export class StackBench {
  readonly stack: Stack;
  readonly link: NetInterface;
  now = 0;
  readonly #headroom: number;

  constructor(
    options: Partial<InterfaceConfig> & { knowsPeer?: boolean; onDrop?: DropObserver } = {},
  ) {
    const { knowsPeer = true, onDrop = () => undefined, ...interfaceConfig } = options;
    this.stack = new Stack({ random: seededRandom('bench'), onDrop });
    this.link = this.stack.addInterface({
      name: 'eth0',
      mac: STACK_MAC,
      mtuBytes: 1500,
      ...interfaceConfig,
    });
    this.#headroom = this.link.headroomBytes;
    this.stack.addAddress(STACK_IP);
    const destination = { family: 'IPv4', base: 0xc000_0200, prefixLength: 24 } as const;
    this.stack.fib.replace({ destination, netInterface: this.link });
    if (knowsPeer) this.stack.neighbours.setPermanent(this.link, PEER_IP, PEER_MAC);
  }

  /** Puts a frame in and returns what comes out. */
  input(frame: Uint8Array): Uint8Array[] {
    this.stack.process(this.now, this.link, frame);
    return this.flush();
  }

  flush(): Uint8Array[] {
    const out: Uint8Array[] = [];
    this.stack.dispatch(this.now, (_, packet) => out.push(packet.subarray(this.#headroom)));
    return out;
  }

  /** Runs every deadline up to `untilMs` and returns what came out. */
  advanceTo(untilMs: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    for (let at = this.stack.pollAt(); at <= untilMs; at = this.stack.pollAt()) {
      this.now = Math.max(this.now, at);
      out.push(...this.flush());
    }
    this.now = untilMs;
    return out;
  }

  drops(): Record<string, number> {
    return Object.fromEntries(this.stack.drops.counts());
  }
}

/** One line a frame, as tcpdump would show it. */
export function show(frame: Uint8Array): string {
  const ethernet = emptyEthernet();
  decodeEthernet(frame, 0, frame.length, ethernet);
  if (ethernet.type === EtherType.arp) {
    const arp = emptyArp();
    decodeArp(frame, 14, frame.length, arp);
    return `${ethernet.destination === BROADCAST_MAC ? 'broadcast ' : ''}${describeArp(arp)}`;
  }
  const ip = emptyIpv4();
  if (decodeIpv4(frame, IP_AT, frame.length, ip) !== undefined) return 'no packet';
  if (ip.moreFragments || ip.fragmentOffset > 0) return describeIpv4(ip);
  if (ip.protocol === IpProtocol.icmp) {
    const icmp = emptyIcmp();
    const error = decodeIcmp(frame, TRANSPORT_AT, frame.length, icmp);
    return error ?? `${describeIcmp(icmp)}, length ${ip.totalBytes - 20}`;
  }
  if (ip.protocol !== IpProtocol.udp) return describeIpv4(ip);
  const udp = emptyUdp();
  return decodeUdp(frame, TRANSPORT_AT, frame.length, udp) ?? describeUdp(udp);
}

/** An echo request. */
export function echoFrame(payload: Uint8Array, ip: Partial<Ipv4Header> = {}): Uint8Array {
  const message = new Uint8Array(8 + payload.length);
  message.set(payload, 8);
  encodeIcmp(message, 0, message.length, {
    type: 8,
    code: 0,
    identifier: 7,
    sequenceOrMtu: 1,
  });
  return ipFrame(message, { protocol: IpProtocol.icmp, ...ip });
}

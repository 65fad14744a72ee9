// Everything below TCP: Ethernet filter, ARP, IPv4, fragments, ICMP, UDP, checksums left to offload.
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { EchoReply } from '../../src/netstack/icmp-layer.ts';
import type { InterfaceConfig, NetInterface } from '../../src/netstack/ip/net-interface.ts';
import { Stack } from '../../src/netstack/stack.ts';
import type { Datagram } from '../../src/netstack/udp-layer.ts';
import { ArpOperation, decodeArp, describeArp, emptyArp, encodeArp } from '../../src/wire/arp.ts';
import { pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { writeUint16 } from '../../src/wire/bytes.ts';
import {
  decodeEthernet,
  emptyEthernet,
  encodeEthernet,
  EtherType,
} from '../../src/wire/ethernet.ts';
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
import { TcpFlag } from '../../src/wire/tcp.ts';
import {
  IP_AT,
  ipFrame,
  PEER_IP,
  PEER_MAC,
  STACK_IP,
  STACK_MAC,
  tcpFrame,
  TRANSPORT_AT,
  udpFrame,
} from './frames.ts';

/** A stack on one link, with a clock that stands still until told. */
class Bench {
  readonly stack: Stack;
  readonly link: NetInterface;
  now = 0;
  readonly #headroom: number;

  constructor(config: Partial<InterfaceConfig> & { knowsPeer?: boolean } = {}) {
    const { knowsPeer = true, ...interfaceConfig } = config;
    this.stack = new Stack({ random: seededRandom('bench') });
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
function show(frame: Uint8Array): string {
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

function arpFrame(operation: number, sender: number, target: number, mac = PEER_MAC): Uint8Array {
  const frame = new Uint8Array(60);
  encodeEthernet(frame, 0, { destination: BROADCAST_MAC, source: mac, type: EtherType.arp });
  encodeArp(frame, 14, {
    operation,
    senderMac: mac,
    senderIp: sender,
    targetMac: 0,
    targetIp: target,
  });
  return frame;
}

function echoFrame(payload: Uint8Array, ip: Partial<Ipv4Header> = {}): Uint8Array {
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

/** `payload` as fragments of `bytes`. */
function fragments(payload: Uint8Array, bytes: number, identification = 99): Uint8Array[] {
  return Array.from({ length: Math.ceil(payload.length / bytes) }, (_, index) =>
    ipFrame(payload.subarray(index * bytes, (index + 1) * bytes), {
      protocol: IpProtocol.icmp,
      identification,
      fragmentOffset: index * bytes,
      moreFragments: (index + 1) * bytes < payload.length,
    }),
  );
}

/** An echo request of `bytes` payload, without its IPv4 header. */
function echoMessage(bytes: number): Uint8Array {
  return echoFrame(Uint8Array.from({ length: bytes }, (_, index) => index)).subarray(TRANSPORT_AT);
}

describe('frames', () => {
  test.each<[string, Uint8Array, string]>([
    ['too short', new Uint8Array(13), 'ethernet-truncated'],
    ['for another host', echoFrame(new Uint8Array(8)).with(5, 9), 'ethernet-other-host'],
    ['IPv6', echoFrame(new Uint8Array(8)).with(12, 0x86).with(13, 0xdd), 'ethernet-unknown-type'],
    ['a bad IPv4 checksum', echoFrame(new Uint8Array(8)).with(24, 1), 'ipv4-bad-checksum'],
    ['IHL below 5', echoFrame(new Uint8Array(8)).with(14, 0x44), 'ipv4-bad-header-length'],
    ['for another address', echoFrame(new Uint8Array(8), { destination: 1 }), 'ipv4-not-local'],
    ['from everywhere', echoFrame(new Uint8Array(8), { source: 0xffff_ffff }), 'ipv4-bad-source'],
    ['from a group', echoFrame(new Uint8Array(8), { source: 0xe000_0001 }), 'ipv4-bad-source'],
    [
      'from an address of ours',
      echoFrame(new Uint8Array(8), { source: STACK_IP }),
      'ipv4-bad-source',
    ],
    ['a damaged ICMP message', echoFrame(new Uint8Array(8)).with(40, 1), 'icmp-malformed'],
  ])('%s', (_, frame, reason) => {
    const bench = new Bench();
    expect(bench.input(frame)).toEqual([]);
    expect(bench.drops()).toEqual({ [reason]: 1 });
  });

  test('a protocol nobody speaks is answered', () => {
    const bench = new Bench();
    const [answer] = bench.input(ipFrame(new Uint8Array(20), { protocol: 132 }));
    expect(answer && show(answer)).toBe('ICMP protocol unreachable, length 48');
  });
});

describe('ARP', () => {
  test('answers for every address of the stack, and for no other', () => {
    const bench = new Bench();
    bench.stack.addAddress(0xc000_0263);
    const replies = [STACK_IP, 0xc000_0263, 0xc000_0264].map((target) =>
      bench.input(arpFrame(ArpOperation.request, PEER_IP, target)).map(show),
    );
    expect(replies).toEqual([
      ['ARP, Reply 192.0.2.1 is-at 0e:2a:00:00:00:01'],
      ['ARP, Reply 192.0.2.99 is-at 0e:2a:00:00:00:01'],
      [],
    ]);
  });

  test('an unknown neighbour is asked for, and what waited is sent when it answers', () => {
    const bench = new Bench({ knowsPeer: false });
    expect(bench.input(echoFrame(new Uint8Array(8))).map(show)).toEqual([
      'broadcast ARP, Request who-has 192.0.2.2 tell 192.0.2.1',
    ]);
    expect(bench.input(arpFrame(ArpOperation.reply, PEER_IP, STACK_IP)).map(show)).toEqual([
      'ICMP echo reply, id 7, seq 1, length 16',
    ]);
    expect(bench.stack.neighbours.entries()).toMatchObject([{ state: 'REACHABLE', mac: PEER_MAC }]);
  });

  test('asks three times, then gives up and says so', () => {
    const bench = new Bench({ knowsPeer: false });
    bench.input(echoFrame(new Uint8Array(8)));
    expect(bench.advanceTo(10_000)).toHaveLength(2);
    expect(bench.drops()).toEqual({ 'neighbour-unreachable': 1 });
    expect(bench.stack.neighbours.entries()).toEqual([]);
    expect(bench.stack.pollAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('sixteen packets wait, the next is dropped', () => {
    const bench = new Bench({ knowsPeer: false });
    for (let count = 0; count < 17; count += 1) bench.input(echoFrame(new Uint8Array(8)));
    expect(bench.drops()).toEqual({ 'neighbour-queue-full': 1 });
  });

  test('a stale neighbour is used and asked again, by unicast', () => {
    const bench = new Bench({ knowsPeer: false });
    bench.input(arpFrame(ArpOperation.request, PEER_IP, STACK_IP));
    bench.advanceTo(30_001);
    expect(bench.stack.neighbours.entries()).toMatchObject([{ state: 'STALE' }]);
    expect(bench.input(echoFrame(new Uint8Array(8))).map(show)).toEqual([
      'ARP, Request who-has 192.0.2.2 tell 192.0.2.1',
      'ICMP echo reply, id 7, seq 1, length 16',
    ]);
  });

  test('nobody changes a permanent entry', () => {
    const bench = new Bench();
    bench.input(arpFrame(ArpOperation.reply, PEER_IP, STACK_IP, 0x0e2a_0000_0666));
    expect(bench.stack.neighbours.entries()).toMatchObject([{ state: 'PERMANENT', mac: PEER_MAC }]);
  });

  test('a gratuitous announcement updates what is known and adds nothing', () => {
    const bench = new Bench({ knowsPeer: false });
    bench.input(arpFrame(ArpOperation.request, 0xc000_0209, 0xc000_0209));
    expect(bench.stack.neighbours.entries()).toEqual([]);
    bench.input(arpFrame(ArpOperation.request, PEER_IP, STACK_IP));
    bench.input(arpFrame(ArpOperation.request, PEER_IP, PEER_IP, 0x0e2a_0000_0777));
    expect(bench.stack.neighbours.entries()).toMatchObject([{ mac: 0x0e2a_0000_0777 }]);
  });

  test('of more than 1,024 learned neighbours the oldest is forgotten', () => {
    const bench = new Bench({ knowsPeer: false });
    for (let host = 0; host < 1030; host += 1)
      bench.input(arpFrame(ArpOperation.request, 0x0a00_0000 + host + 1, STACK_IP));
    const entries = bench.stack.neighbours.entries();
    expect([entries.length, entries[0]?.address]).toEqual([1024, 0x0a00_0007]);
  });

  test('other hardware and protocols are malformed', () => {
    const bench = new Bench();
    bench.input(arpFrame(ArpOperation.request, PEER_IP, STACK_IP).with(15, 6));
    expect(bench.drops()).toEqual({ 'arp-malformed': 1 });
  });
});

describe('fragments', () => {
  const ping = echoMessage(4000);

  test('a ping of 4,000 bytes is put together and answered in fragments', () => {
    const bench = new Bench({ mtuBytes: 1450 });
    const parts = fragments(ping, 1424);
    expect(bench.input(parts[2] ?? ping)).toEqual([]);
    expect(bench.input(parts[0] ?? ping)).toEqual([]);
    const answer = bench.input(parts[1] ?? ping);
    expect(answer.map(show)).toEqual([
      'IP 192.0.2.1 > 192.0.2.2: proto 1, ttl 64, length 1444, frag 0+',
      'IP 192.0.2.1 > 192.0.2.2: proto 1, ttl 64, length 1444, frag 1424+',
      'IP 192.0.2.1 > 192.0.2.2: proto 1, ttl 64, length 1180, frag 2848',
    ]);
    const body = Buffer.concat(answer.map((frame) => frame.subarray(TRANSPORT_AT)));
    expect(body.subarray(8).equals(ping.subarray(8))).toBe(true);
    expect(bench.stack.reassemblyBytes).toBe(0);
  });

  test('duplicates do no harm', () => {
    const bench = new Bench();
    const parts = fragments(ping, 1424);
    const frames = [...parts.slice(0, 2), ...parts.slice(0, 2), ...parts.slice(2)];
    expect(frames.flatMap((frame) => bench.input(frame))).toHaveLength(3);
  });

  test('an overlap throws the datagram away', () => {
    const bench = new Bench();
    const [first = ping] = fragments(ping, 1424);
    bench.input(first);
    const evil = ipFrame(new Uint8Array(1424), {
      protocol: IpProtocol.icmp,
      identification: 99,
      fragmentOffset: 1416,
      moreFragments: true,
    });
    bench.input(evil);
    expect([bench.drops(), bench.stack.reassemblyBytes]).toEqual([{ 'fragment-overlap': 1 }, 0]);
  });

  test.each<[string, number, boolean, number]>([
    ['not a multiple of eight', 7, true, 0],
    ['empty', 0, true, 8],
    ['beyond the largest packet', 1000, false, 65_000],
  ])('one %s is malformed', (_, bytes, moreFragments, fragmentOffset) => {
    const bench = new Bench();
    bench.input(
      ipFrame(new Uint8Array(bytes), { moreFragments, fragmentOffset, identification: 1 }),
    );
    expect(bench.drops()).toEqual({ 'fragment-malformed': 1 });
  });

  test('a second end is malformed', () => {
    const bench = new Bench();
    for (const fragmentOffset of [800, 1600])
      bench.input(ipFrame(new Uint8Array(800), { fragmentOffset, identification: 1 }));
    expect([bench.drops(), bench.stack.reassemblyBytes]).toEqual([{ 'fragment-malformed': 1 }, 0]);
  });

  test('what is not whole after 30 s is dropped, its sender told', () => {
    const bench = new Bench();
    const [first = ping] = fragments(ping, 1424);
    bench.input(first);
    expect(bench.stack.pollAt()).toBe(30_000);
    expect(bench.advanceTo(30_000).map(show)).toEqual([
      'ICMP ip reassembly time exceeded, length 556',
    ]);
    expect(bench.stack.reassemblyBytes).toBe(0);
  });

  test('without its first fragment nobody is told', () => {
    const bench = new Bench();
    bench.input(fragments(ping, 1424)[1] ?? ping);
    expect(bench.advanceTo(30_000)).toEqual([]);
    expect(bench.drops()).toEqual({ 'fragment-timeout': 1 });
  });

  test('at most 4 MiB wait: the oldest make room', () => {
    const bench = new Bench();
    for (let identification = 0; identification < 4000; identification += 1)
      bench.input(ipFrame(new Uint8Array(1400), { moreFragments: true, identification }));
    expect(bench.stack.reassemblyBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(bench.stack.drops.count('fragment-memory')).toBe(4000 - Math.floor(4_194_304 / 1400));
  });
});

describe('echo', () => {
  test('a ping is answered with its payload', () => {
    const bench = new Bench();
    const [answer = new Uint8Array(0)] = bench.input(echoFrame(Uint8Array.of(1, 2, 3)));
    expect(show(answer)).toBe('ICMP echo reply, id 7, seq 1, length 11');
    expect(answer.subarray(TRANSPORT_AT + 8)).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('the stack pings, and hears the answer', () => {
    const bench = new Bench();
    const replies: EchoReply[] = [];
    bench.stack.icmp.onEchoReply(7, (reply) => replies.push(reply));
    const echo = { source: STACK_IP, destination: PEER_IP, identifier: 7, sequence: 1 };
    expect(bench.stack.icmp.sendEcho(0, echo, Uint8Array.of(9))).toBe(true);
    expect(bench.flush().map(show)).toEqual(['ICMP echo request, id 7, seq 1, length 9']);
    const reply = echoFrame(Uint8Array.of(9));
    encodeIcmp(reply, TRANSPORT_AT, reply.length, {
      ...emptyIcmp(),
      identifier: 7,
      sequenceOrMtu: 1,
    });
    bench.input(reply);
    expect(replies).toEqual([{ source: PEER_IP, sequence: 1, payload: Uint8Array.of(9) }]);
    bench.stack.icmp.onEchoReply(7, undefined);
    bench.input(reply);
    expect(bench.drops()).toEqual({ 'icmp-unknown-type': 1 });
  });

  test('without a route nothing is sent', () => {
    const bench = new Bench();
    const echo = { source: STACK_IP, destination: 0x0808_0808, identifier: 7, sequence: 1 };
    expect(bench.stack.icmp.sendEcho(0, echo, new Uint8Array(0))).toBe(false);
    expect(bench.drops()).toEqual({ 'no-route': 1 });
  });
});

describe('UDP', () => {
  const ports = { sourcePort: 5353, destinationPort: 53 };

  test('a datagram is delivered with both addresses, and answered', () => {
    const bench = new Bench();
    const received: Datagram[] = [];
    const socket = bench.stack.udp.bind(
      { address: 0, port: 53 },
      { datagram: (d) => received.push(d) },
    );
    bench.input(udpFrame(ports, Uint8Array.of(1, 2)));
    expect(received).toEqual([
      {
        payload: Uint8Array.of(1, 2),
        localAddress: STACK_IP,
        remoteAddress: PEER_IP,
        remotePort: 5353,
      },
    ]);
    const to = { address: PEER_IP, port: 5353, source: STACK_IP };
    expect(socket?.send(0, to, Uint8Array.of(3))).toBe('sent');
    expect(bench.flush().map(show)).toEqual(['UDP 53 > 5353, length 1']);
  });

  test('a port with nobody on it: port unreachable, 50 at once and no more', () => {
    const bench = new Bench();
    const frame = udpFrame(ports, new Uint8Array(100));
    expect(bench.input(frame).map(show)).toEqual(['ICMP port unreachable, length 136']);
    for (let count = 0; count < 50; count += 1) bench.input(frame);
    expect(bench.stack.drops.count('icmp-rate-limited')).toBe(1);
  });

  test('a socket that passes datagrams on tells their sender that nobody wants them', () => {
    const bench = new Bench();
    const { stack } = bench;
    const socket = stack.udp.bind(
      { address: STACK_IP, port: ports.destinationPort },
      { datagram: () => undefined },
    );
    expect(bench.input(udpFrame(ports, new Uint8Array(100)))).toEqual([]);
    socket?.refuse(bench.now, { address: PEER_IP, port: ports.sourcePort });
    // The quote is an IPv4 header with a UDP header behind it, as much as an error must have.
    expect(bench.flush().map(show)).toEqual(['ICMP port unreachable, length 36']);
  });

  test('bound twice, closed, and bound again', () => {
    const bench = new Bench();
    const handler = { datagram: () => undefined };
    const socket = bench.stack.udp.bind({ address: STACK_IP, port: 53 }, handler);
    expect(bench.stack.udp.bind({ address: STACK_IP, port: 53 }, handler)).toBeUndefined();
    socket?.close();
    expect(socket?.send(0, { address: PEER_IP, port: 1 }, new Uint8Array(1))).toBe('closed');
    expect(bench.stack.udp.bind({ address: STACK_IP, port: 53 }, handler)?.localPort).toBe(53);
    expect(bench.stack.udp.bind({ address: 0, port: 0 }, handler)?.localPort).toBe(32_768);
  });

  test('an answer from a router reaches the socket that asked', () => {
    const bench = new Bench();
    const codes: number[] = [];
    const socket = bench.stack.udp.bind(
      { address: STACK_IP, port: 4000 },
      { datagram: () => undefined, unreachable: (report) => codes.push(report.code) },
    );
    socket?.send(0, { address: PEER_IP, port: 53 }, new Uint8Array(10));
    const quoted = bench.flush()[0]?.subarray(IP_AT) ?? new Uint8Array(0);
    const message = new Uint8Array(8 + quoted.length);
    message.set(quoted, 8);
    encodeIcmp(message, 0, message.length, { ...emptyIcmp(), type: 3, code: 3 });
    bench.input(ipFrame(message, { protocol: IpProtocol.icmp }));
    expect(codes).toEqual([3]);
  });

  test('large ones are fragmented, too large ones refused', () => {
    const bench = new Bench();
    const socket = bench.stack.udp.bind(
      { address: STACK_IP, port: 1 },
      { datagram: () => undefined },
    );
    const to = { address: PEER_IP, port: 2 };
    expect(socket?.send(0, to, new Uint8Array(4000))).toBe('sent');
    expect(bench.flush()).toHaveLength(3);
    expect(socket?.send(0, to, new Uint8Array(65_508))).toBe('too-big');
    expect(socket?.send(0, { address: 1, port: 2 }, new Uint8Array(1))).toBe('no-route');
  });

  test('a zero checksum is none, a wrong one is dropped, a bad length is malformed', () => {
    const bench = new Bench();
    let count = 0;
    bench.stack.udp.bind({ address: 0, port: 53 }, { datagram: () => (count += 1) });
    const frame = udpFrame(ports, Uint8Array.of(1, 2));
    bench.input(frame.with(TRANSPORT_AT + 6, 0).with(TRANSPORT_AT + 7, 0));
    bench.input(frame.with(TRANSPORT_AT + 6, 1).with(TRANSPORT_AT + 7, 1));
    bench.input(frame.with(TRANSPORT_AT + 5, 99));
    expect([count, bench.drops()]).toEqual([1, { 'udp-bad-checksum': 1, 'udp-malformed': 1 }]);
  });
});

describe('checksums left to offload, and segments nobody cut', () => {
  function partial(): Uint8Array {
    const payload = new Uint8Array(5000).fill(1);
    const frame = tcpFrame({ destinationPort: 80, flags: TcpFlag.syn }, payload);
    const pseudo = pseudoHeaderSum(PEER_IP, STACK_IP, IpProtocol.tcp, 5020);
    writeUint16(frame, TRANSPORT_AT + 16, pseudo);
    return frame;
  }

  test('are named and dropped by default', () => {
    const bench = new Bench();
    expect(bench.input(partial())).toEqual([]);
    expect(bench.drops()).toEqual({ 'inner-checksum-partial': 1 });
    expect(bench.link.counters).toMatchObject({ partialChecksums: 1, oversized: 1 });
  });

  test('are counted and taken on request', () => {
    const bench = new Bench({ acceptPartialChecksums: true });
    expect(bench.input(partial())).toHaveLength(1);
    expect(bench.link.counters).toMatchObject({ partialChecksums: 1, oversized: 1 });
    bench.input(partial().with(TRANSPORT_AT + 16, 1));
    expect(bench.stack.drops.count('tcp-bad-checksum')).toBe(1);
  });
});

describe('interfaces, addresses, routes', () => {
  test('an MTU nobody could mean is refused by name', () => {
    for (const mtuBytes of [0, 575, 65_536, 1450.5])
      expect(() => new Bench({ mtuBytes })).toThrow(`mtuBytes ${mtuBytes} is outside 576..65535`);
    const bench = new Bench();
    expect(() => bench.stack.addInterface({ name: 'eth0', mac: 1, mtuBytes: 1500 })).toThrow(
      'interface eth0 exists already',
    );
  });

  test('headroom precedes every frame, and the IPv4 header is aligned', () => {
    const bench = new Bench({ headroomBytes: 8 });
    bench.stack.process(0, bench.link, echoFrame(new Uint8Array(8)));
    const packets: Uint8Array[] = [];
    bench.stack.dispatch(0, (_, packet) => packets.push(packet));
    const [packet = new Uint8Array(0)] = packets;
    expect(packet.length).toBe(8 + 14 + 20 + 16);
    expect((packet.byteOffset + 8 + 14) % 4).toBe(0);
    expect(show(packet.subarray(8))).toBe('ICMP echo reply, id 7, seq 1, length 16');
  });

  test('the longest prefix wins, by way of its gateway', () => {
    const bench = new Bench({ knowsPeer: false });
    const { fib, neighbours } = bench.stack;
    const route = (base: number, prefixLength: number, gateway: number): void =>
      fib.replace({
        destination: { family: 'IPv4', base, prefixLength },
        netInterface: bench.link,
        gateway,
        owner: 'test',
      });
    route(0, 0, 0xc000_0201 + 1);
    route(0x0a00_0000, 8, 0xc000_0203);
    route(0x0af4_0000, 16, 0xc000_0204);
    route(0x0af4_0102, 32, 0xc000_0205);
    const gatewayOf = (address: number): number | undefined => fib.lookup(address)?.gateway;
    expect([0x0af4_0102, 0x0af4_0103, 0x0a01_0101, 0x0808_0808].map(gatewayOf)).toEqual([
      0xc000_0205, 0xc000_0204, 0xc000_0203, 0xc000_0202,
    ]);
    expect(fib.routes().map(({ destination }) => destination.prefixLength)).toEqual([
      0, 8, 16, 32, 24,
    ]);
    expect(fib.remove({ family: 'IPv4', base: 0x0af4_0102, prefixLength: 32 })).toBe(true);
    expect(fib.remove({ family: 'IPv4', base: 0x0af4_0102, prefixLength: 32 })).toBe(false);
    expect(gatewayOf(0x0af4_0102)).toBe(0xc000_0204);
    neighbours.setPermanent(bench.link, 0xc000_0204, PEER_MAC, { owner: 'node-2' });
    const echo = { source: STACK_IP, destination: 0x0af4_0102, identifier: 1, sequence: 1 };
    bench.stack.icmp.sendEcho(0, echo, new Uint8Array(0));
    expect(bench.flush()).toHaveLength(1);
    expect(neighbours.remove(bench.link, 0xc000_0204)).toBe(true);
  });

  test('two addresses of one stack talk over its loopback', () => {
    const bench = new Bench();
    const pod = 0xc000_0263;
    bench.stack.addAddress(pod);
    const received: string[] = [];
    bench.stack.tcp.listen(pod, 80, {
      onConnection: (socket) =>
        socket.setHandler({
          readable: () => received.push(Buffer.from(socket.read() ?? []).toString()),
        }),
    });
    const target = { source: STACK_IP, address: pod, port: 80 };
    const outcome = bench.stack.tcp.connect(0, target, {});
    if (outcome.kind === 'connecting') outcome.socket.write(Buffer.from('neighbour'));
    expect(bench.flush()).toEqual([]);
    expect(received).toEqual(['neighbour']);
  });

  test('a wake-up is asked for once, and only between dispatches', () => {
    let wakes = 0;
    const stack = new Stack({ random: seededRandom('wake'), onWake: () => (wakes += 1) });
    stack.addAddress(STACK_IP);
    const target = { source: STACK_IP, address: STACK_IP, port: 80 };
    stack.tcp.connect(0, target, {});
    stack.tcp.connect(0, target, {});
    expect([wakes, stack.pollAt()]).toEqual([1, Number.NEGATIVE_INFINITY]);
    stack.dispatch(0, () => undefined);
    expect([wakes, stack.pollAt()]).toEqual([1, Number.POSITIVE_INFINITY]);
  });

  test('a handler that throws loses nothing', () => {
    const bench = new Bench();
    bench.stack.addAddress(0xc000_0263);
    let connected = 0;
    bench.stack.tcp.listen(0, 80, {
      onConnection: () => {
        connected += 1;
        if (connected === 1) throw new Error('application bug');
      },
    });
    for (const address of [0xc000_0263, 0xc000_0263])
      bench.stack.tcp.connect(0, { source: STACK_IP, address, port: 80 }, {});
    expect(() => bench.flush()).toThrow('application bug');
    bench.flush();
    expect(connected).toBe(2);
    expect(bench.stack.tcp.sockets().map((socket) => socket.state)).toEqual(
      Array.from({ length: 4 }, () => 'ESTABLISHED'),
    );
  });

  test('connecting: no route, a port in use, ephemeral ports', () => {
    const bench = new Bench();
    const { tcp } = bench.stack;
    const target = { source: STACK_IP, address: PEER_IP, port: 80 };
    expect(tcp.connect(0, { ...target, address: 1 }, {}).kind).toBe('no-route');
    expect(tcp.connect(0, { ...target, sourcePort: 5 }, {}).kind).toBe('connecting');
    expect(tcp.connect(0, { ...target, sourcePort: 5 }, {}).kind).toBe('address-in-use');
    const outcomes = Array.from({ length: 100 }, () => tcp.connect(0, target, {}));
    const ports = outcomes.flatMap((outcome) =>
      outcome.kind === 'connecting' ? [outcome.socket.localPort] : [],
    );
    expect(new Set(ports).size).toBe(100);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(32_768);
    expect(Math.max(...ports)).toBeLessThan(61_000);
  });

  test('a connection to a neighbour that does not answer ends with host unreachable', () => {
    const bench = new Bench({ knowsPeer: false });
    let reason = '';
    const target = { source: STACK_IP, address: PEER_IP, port: 80 };
    bench.stack.tcp.connect(0, target, { closed: (why) => (reason = why) });
    bench.flush();
    bench.advanceTo(5000);
    expect(reason).toBe('host-unreachable');
  });

  test('configuration that cannot work is refused by name', () => {
    const create = (tcp: object) => () => new Stack({ random: seededRandom('x'), tcp });
    expect(create({ receiveBufferBytes: 0 })).toThrow(
      'tcp.receiveBufferBytes must be above 0, not 0',
    );
    expect(create({ receiveBufferBytes: 2 ** 31 })).toThrow('tcp.receiveBufferBytes must be below');
    expect(create({ minRtoMs: -1 })).toThrow('tcp.minRtoMs must be above 0, not -1');
  });
});

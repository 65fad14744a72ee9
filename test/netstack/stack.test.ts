// What a stack takes from a link and puts on it: Ethernet filter, IPv4 checks, echo, interfaces, routes.
import { TcpFlag } from '../../src/wire/tcp.ts';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { EchoReply } from '../../src/netstack/icmp-layer.ts';
import { Stack } from '../../src/netstack/stack.ts';
import { emptyIcmp, encodeIcmp } from '../../src/wire/icmp.ts';
import { ipFrame, PEER_IP, PEER_MAC, STACK_IP, TRANSPORT_AT, tcpFrame } from './frames.ts';
import { echoFrame, show, StackBench } from './stack-bench.ts';

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
    [
      'TCP for everyone',
      tcpFrame({ destinationPort: 80, flags: TcpFlag.syn }).fill(0xff, 0, 6),
      'tcp-to-everyone',
    ],
    ['a damaged ICMP message', echoFrame(new Uint8Array(8)).with(40, 1), 'icmp-malformed'],
  ])('%s', (_, frame, reason) => {
    const bench = new StackBench();
    expect(bench.input(frame)).toEqual([]);
    expect(bench.drops()).toEqual({ [reason]: 1 });
  });

  test('a protocol nobody speaks is answered', () => {
    const bench = new StackBench();
    const [answer] = bench.input(ipFrame(new Uint8Array(20), { protocol: 132 }));
    expect(answer && show(answer)).toBe('ICMP protocol unreachable, length 48');
  });
});

describe('echo', () => {
  test('a ping is answered with its payload', () => {
    const bench = new StackBench();
    const [answer = new Uint8Array(0)] = bench.input(echoFrame(Uint8Array.of(1, 2, 3)));
    expect(show(answer)).toBe('ICMP echo reply, id 7, seq 1, length 11');
    expect(answer.subarray(TRANSPORT_AT + 8)).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('the stack pings, and hears the answer', () => {
    const bench = new StackBench();
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
    const bench = new StackBench();
    const echo = { source: STACK_IP, destination: 0x0808_0808, identifier: 7, sequence: 1 };
    expect(bench.stack.icmp.sendEcho(0, echo, new Uint8Array(0))).toBe(false);
    expect(bench.drops()).toEqual({ 'no-route': 1 });
  });
});

describe('interfaces, addresses, routes', () => {
  test('an MTU nobody could mean is refused by name', () => {
    for (const mtuBytes of [0, 575, 65_536, 1450.5])
      expect(() => new StackBench({ mtuBytes })).toThrow(
        `mtuBytes ${mtuBytes} is outside 576..65535`,
      );
    const bench = new StackBench();
    expect(() => bench.stack.addInterface({ name: 'eth0', mac: 1, mtuBytes: 1500 })).toThrow(
      'interface eth0 exists already',
    );
  });

  test('headroom precedes every frame, and the IPv4 header is aligned', () => {
    const bench = new StackBench({ headroomBytes: 8 });
    bench.stack.process(0, bench.link, echoFrame(new Uint8Array(8)));
    const packets: Uint8Array[] = [];
    bench.stack.dispatch(0, (_, packet) => packets.push(packet));
    const [packet = new Uint8Array(0)] = packets;
    expect(packet.length).toBe(8 + 14 + 20 + 16);
    expect((packet.byteOffset + 8 + 14) % 4).toBe(0);
    expect(show(packet.subarray(8))).toBe('ICMP echo reply, id 7, seq 1, length 16');
  });

  test('the longest prefix wins, by way of its gateway', () => {
    const bench = new StackBench({ knowsPeer: false });
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
    const bench = new StackBench();
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
    const bench = new StackBench();
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
    const bench = new StackBench();
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
    const bench = new StackBench({ knowsPeer: false });
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

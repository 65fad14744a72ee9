// UDP, RFC 768, and what Linux leaves to offload.
import { describe, expect, test } from 'vitest';
import type { Datagram } from '../../src/netstack/udp-layer.ts';
import { pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { writeUint16 } from '../../src/wire/bytes.ts';
import { emptyIcmp, encodeIcmp } from '../../src/wire/icmp.ts';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import { TcpFlag } from '../../src/wire/tcp.ts';
import {
  IP_AT,
  ipFrame,
  PEER_IP,
  STACK_IP,
  tcpFrame,
  TRANSPORT_AT,
  udpFrame,
  PEER_MAC,
} from './frames.ts';
import { show, StackBench } from './stack-bench.ts';

describe('UDP', () => {
  const ports = { sourcePort: 5353, destinationPort: 53 };

  test('a datagram is delivered with both addresses, and answered', () => {
    const bench = new StackBench();
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

  test('a port with nobody on it: port unreachable, six at once and one a second for each host', () => {
    const bench = new StackBench();
    const frame = udpFrame(ports, new Uint8Array(100));
    const answers = (count: number): number =>
      Array.from({ length: count }, () => bench.input(frame)).flat().length;
    expect(bench.input(frame).map(show)).toEqual(['ICMP port unreachable, length 136']);
    expect(answers(10)).toBe(5);
    bench.now += 1000;
    expect(answers(10)).toBe(1);
    expect(bench.stack.drops.count('icmp-rate-limited')).toBe(5 + 9);
  });

  test('50 at once and no more to all hosts together', () => {
    const bench = new StackBench();
    for (let host = 0; host < 60; host += 1) {
      const frame = udpFrame(ports, new Uint8Array(1), { source: 0xc000_0210 + host });
      bench.stack.neighbours.setPermanent(bench.link, 0xc000_0210 + host, PEER_MAC);
      bench.input(frame);
    }
    expect(bench.stack.drops.count('icmp-rate-limited')).toBe(10);
  });

  test('what was broadcast is delivered, and never answered with an error', () => {
    const bench = new StackBench();
    const frame = udpFrame(ports, new Uint8Array(100));
    frame.fill(0xff, 0, 6);
    expect(bench.input(frame)).toEqual([]);
    const received: Datagram[] = [];
    const local = { address: STACK_IP, port: ports.destinationPort };
    bench.stack.udp.bind(local, { datagram: (datagram) => received.push(datagram) });
    bench.input(frame);
    expect(received).toHaveLength(1);
    expect(bench.drops()).toEqual({ 'udp-no-socket': 1 });
  });

  test('a socket that passes datagrams on tells their sender that nobody wants them', () => {
    const bench = new StackBench();
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
    const bench = new StackBench();
    const handler = { datagram: () => undefined };
    const socket = bench.stack.udp.bind({ address: STACK_IP, port: 53 }, handler);
    expect(bench.stack.udp.bind({ address: STACK_IP, port: 53 }, handler)).toBeUndefined();
    socket?.close();
    expect(socket?.send(0, { address: PEER_IP, port: 1 }, new Uint8Array(1))).toBe('closed');
    expect(bench.stack.udp.bind({ address: STACK_IP, port: 53 }, handler)?.localPort).toBe(53);
    expect(bench.stack.udp.bind({ address: 0, port: 0 }, handler)?.localPort).toBe(32_768);
  });

  test('an answer from a router reaches the socket that asked', () => {
    const bench = new StackBench();
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
    const bench = new StackBench();
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
    const bench = new StackBench();
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
    const bench = new StackBench();
    expect(bench.input(partial())).toEqual([]);
    expect(bench.drops()).toEqual({ 'inner-checksum-partial': 1 });
    expect(bench.link.counters).toMatchObject({ partialChecksums: 1, oversized: 1 });
  });

  test('are counted and taken on request', () => {
    const bench = new StackBench({ acceptPartialChecksums: true });
    expect(bench.input(partial())).toHaveLength(1);
    expect(bench.link.counters).toMatchObject({ partialChecksums: 1, oversized: 1 });
    bench.input(partial().with(TRANSPORT_AT + 16, 1));
    expect(bench.stack.drops.count('tcp-bad-checksum')).toBe(1);
  });
});

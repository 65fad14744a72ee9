import { PassThrough, Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { Capture, innerTap, outerTap } from '../../src/overlay/capture.ts';
import { decodeEthernet, emptyEthernet } from '../../src/wire/ethernet.ts';
import { decodeIpv4, emptyIpv4 } from '../../src/wire/ipv4.ts';
import { decodeUdp, emptyUdp } from '../../src/wire/udp.ts';
import { ip } from '../ipam/addresses.ts';

interface Block {
  readonly type: number;
  readonly body: Buffer;
}

/** The blocks of a pcapng stream. */
function blocksOf(stream: Buffer): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < stream.length; ) {
    const length = stream.readUInt32LE(at + 4);
    blocks.push({ type: stream.readUInt32LE(at), body: stream.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

/** Packet bytes, stamp and the rest of an Enhanced Packet Block. */
function packetOf({ body }: Block) {
  const captured = body.readUInt32LE(12);
  const stampNs = (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8));
  return {
    bytes: body.subarray(20, 20 + captured),
    stampNs,
    options: body.subarray(20 + captured),
  };
}

function captureTo(sink: Writable, clock = new ManualClock()): Capture {
  return new Capture({ sink, clock, name: 'node-1 flannel.1' });
}

const DATAGRAM = Buffer.from('080000000000010002000000000b02000000000a08004500', 'hex');

describe('Capture', () => {
  test('one section, one interface, then packets with nanoseconds and comments', () => {
    const sink = new PassThrough();
    const clock = new ManualClock({ wallStartMs: 1_700_000_000_000 });
    const tap = innerTap(captureTo(sink, clock));
    clock.advance(1.000_25);
    tap.sent(ip('192.0.2.1'), DATAGRAM);
    tap.dropped('no-fdb-entry', DATAGRAM, { direction: 'outbound', peer: undefined });
    const blocks = blocksOf(sink.read() as Buffer);
    expect(blocks.map((block) => block.type)).toEqual([0x0a0d_0d0a, 1, 6, 6]);
    const [first, second] = blocks.slice(2).map(packetOf);
    expect(first?.bytes).toEqual(DATAGRAM.subarray(8));
    expect(first?.stampNs).toBe(1_700_000_000_001_000_250n);
    expect(second?.options.includes('dropped: no-fdb-entry')).toBe(true);
  });

  test('the outer view has headers that a receiver would accept', () => {
    const sink = new PassThrough();
    const tap = outerTap(captureTo(sink), ip('127.18.0.2'));
    tap.received(ip('127.18.0.3'), DATAGRAM, undefined);
    const bytes = packetOf(blocksOf(sink.read() as Buffer)[2] ?? { type: 0, body: DATAGRAM }).bytes;
    const [ethernet, ipv4, udp] = [emptyEthernet(), emptyIpv4(), emptyUdp()];
    expect(decodeEthernet(bytes, 0, bytes.length, ethernet)).toBeUndefined();
    expect(decodeIpv4(bytes, 14, bytes.length, ipv4)).toBeUndefined();
    expect(decodeUdp(bytes, 34, bytes.length, udp)).toBeUndefined();
    expect([ipv4.source, ipv4.destination]).toEqual([0x7f12_0003, 0x7f12_0002]);
    expect([udp.destinationPort, udp.lengthBytes]).toEqual([4789, 8 + DATAGRAM.length]);
    expect(bytes.subarray(42)).toEqual(DATAGRAM);
  });

  test('what was received and thrown away says why, at the peer it came from', () => {
    const sink = new PassThrough();
    const tap = outerTap(captureTo(sink), ip('127.18.0.2'));
    tap.received(ip('127.18.0.3'), DATAGRAM, 'tcp-bad-checksum');
    const place = { direction: 'inbound', peer: ip('127.18.0.3') } as const;
    tap.dropped('vni-mismatch', DATAGRAM, place);
    const packets = blocksOf(sink.read() as Buffer)
      .slice(2)
      .map(packetOf);
    expect(packets.map(({ bytes }) => bytes.readUInt32BE(26))).toEqual([0x7f12_0003, 0x7f12_0003]);
    expect(packets[0]?.options.includes('dropped: tcp-bad-checksum')).toBe(true);
    expect(packets[1]?.options.includes('dropped: vni-mismatch')).toBe(true);
  });

  test('what the stack did not send is seen on the side of the pods only', () => {
    const [pods, wire] = [new PassThrough(), new PassThrough()];
    innerTap(captureTo(pods)).unsent('ipv4-too-big', DATAGRAM);
    outerTap(captureTo(wire), ip('127.18.0.2')).unsent('ipv4-too-big', DATAGRAM);
    const [packet] = blocksOf(pods.read() as Buffer)
      .slice(2)
      .map(packetOf);
    expect(packet?.bytes).toEqual(DATAGRAM.subarray(8));
    expect(packet?.options.includes('dropped: ipv4-too-big')).toBe(true);
    expect(blocksOf(wire.read() as Buffer)).toHaveLength(2);
  });

  test('a reader that falls behind loses frames and nothing else', () => {
    const stuck = new Writable({ write: () => undefined });
    const capture = captureTo(stuck);
    const frame = new Uint8Array(1024 * 1024);
    for (let count = 0; count < 20; count += 1) capture.frame(frame, 'inbound');
    expect(capture.counters).toEqual({ frames: 16, lost: 4 });
  });

  test('a reader that goes away ends the capture', async () => {
    const sink = new PassThrough();
    const capture = captureTo(sink);
    sink.destroy(new Error('EPIPE'));
    await new Promise((resolve) => setImmediate(resolve));
    capture.frame(DATAGRAM, 'inbound');
    expect(capture.counters).toEqual({ frames: 0, lost: 1 });
  });
});

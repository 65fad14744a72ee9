// Mutated frames against a stack that has listeners, open connections and half a datagram. The mutation
// knows the headers: fields are set to values that matter, and most of the time the checksums are put
// right again, so that the frame gets past them.
import { describe, expect, test } from 'vitest';
import { ArpOperation, encodeArp } from '../../src/wire/arp.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { addSums, checksumOf, pseudoHeaderSum, sumOf } from '../../src/wire/checksum.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from '../../src/wire/bytes.ts';
import { encodeEthernet, EtherType } from '../../src/wire/ethernet.ts';
import { emptyIcmp, encodeIcmp } from '../../src/wire/icmp.ts';
import { decodeIpv4, emptyIpv4, IpProtocol } from '../../src/wire/ipv4.ts';
import { decodeTcp, emptyTcp, TcpFlag } from '../../src/wire/tcp.ts';
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
} from '../netstack/frames.ts';
import { PEER_PORT, SERVER_PORT, TcpScript } from '../netstack/tcp-script.ts';

const FRAMES_PER_SEED = 12_000;
const MTU = 1500;

/** Values on the borders of every field. */
const BORDERS = [0, 1, 4, 5, 8, 15, 20, 40, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xfffe, 0xffff];

function arpFrame(operation: number): Uint8Array {
  const frame = new Uint8Array(42);
  encodeEthernet(frame, 0, { destination: STACK_MAC, source: PEER_MAC, type: EtherType.arp });
  encodeArp(frame, 14, {
    operation,
    senderMac: PEER_MAC,
    senderIp: PEER_IP,
    targetMac: 0,
    targetIp: STACK_IP,
  });
  return frame;
}

function icmpFrame(type: number, code: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(8 + body.length);
  message.set(body, 8);
  const header = { ...emptyIcmp(), type, code, sequenceOrMtu: 1000 };
  encodeIcmp(message, 0, message.length, header);
  return ipFrame(message, { protocol: IpProtocol.icmp });
}

/** What the stack last said on a connection: the peer's port, and what it expects to hear next. */
interface Heard {
  port: number;
  seq: number;
  ack: number;
}

/** A frame that means something to the stack as it is now: half of them exactly what it waits for. */
function sensible(heard: Heard, random: Random): Uint8Array {
  const near = (value: number): number =>
    random.below(2) === 0 ? value : (value + random.below(40_000) - 20_000) >>> 0;
  const payload = new Uint8Array(random.below(1400)).fill(random.below(256));
  const ports = { sourcePort: heard.port, destinationPort: SERVER_PORT };
  const seq = near(heard.seq);
  const tcp = {
    ...ports,
    seq,
    ack: near(heard.ack),
    flags: TcpFlag.ack,
    window: random.below(0x1_0000),
  };
  const quoted = tcpFrame({ ...tcp, seq: tcp.ack }, payload, {
    source: STACK_IP,
    destination: PEER_IP,
  }).subarray(IP_AT, IP_AT + 28);
  const fragment = { identification: random.below(4), fragmentOffset: 8 * random.below(10) };
  const makers = [
    () => tcpFrame(tcp, payload),
    () => tcpFrame({ ...tcp, flags: random.below(256) }, payload),
    () =>
      tcpFrame({
        ...tcp,
        sourcePort: PEER_PORT + random.below(4),
        flags: TcpFlag.syn,
        mss: random.below(0x1_0000),
        sackPermitted: random.below(2) === 0,
        windowScale: random.below(16) - 1,
      }),
    () => tcpFrame({ ...tcp, flags: TcpFlag.ack | TcpFlag.fin }, payload),
    () =>
      tcpFrame({
        ...tcp,
        sackCount: 1 + random.below(4),
        sackEdges: Uint32Array.from({ length: 8 }, () => near(heard.ack)),
      }),
    () => tcpFrame({ ...tcp, hasTimestamps: true, timestampValue: random.uint32() }, payload),
    () => udpFrame({ sourcePort: 1, destinationPort: 53 }, payload),
    () => icmpFrame(8, 0, payload),
    () => icmpFrame(3, random.below(16), quoted),
    () => ipFrame(payload.subarray(0, payload.length & ~7), { moreFragments: true, ...fragment }),
    () => ipFrame(payload, { ...fragment }),
    () => arpFrame(ArpOperation.request),
    () => arpFrame(ArpOperation.reply),
  ];
  return (makers[random.below(makers.length)] ?? (() => payload))();
}

function mutate(frame: Uint8Array, random: Random): Uint8Array {
  let bytes = frame.slice();
  for (let count = random.below(4); count > 0; count -= 1) {
    const at = random.below(Math.min(bytes.length, 80));
    const border = BORDERS[random.below(BORDERS.length)] ?? 0;
    const kinds = [
      () => (bytes[at] = random.below(256)),
      () => (bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))),
      () => at + 2 <= bytes.length && writeUint16(bytes, at, border),
      () => at + 4 <= bytes.length && writeUint32(bytes, at, random.uint32()),
      () => (bytes = bytes.slice(0, at)),
      () => (bytes = Uint8Array.from([...bytes, ...new Uint8Array(random.below(60))])),
    ];
    kinds[random.below(kinds.length)]?.();
    if (bytes.length === 0) return bytes;
  }
  if (random.below(5) > 0) fixChecksums(bytes);
  return bytes;
}

const CHECKSUM_AT: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6 };

/** As far as the headers, right or wrong, allow. */
function fixChecksums(frame: Uint8Array): void {
  if (frame.length < TRANSPORT_AT + 8) return;
  const headerBytes = Math.max(20, ((frame[IP_AT] ?? 0) & 15) * 4);
  const transportAt = IP_AT + headerBytes;
  if (transportAt > frame.length) return;
  writeUint16(frame, IP_AT + 10, 0);
  writeUint16(frame, IP_AT + 10, checksumOf(frame, IP_AT, transportAt));
  const protocol = frame[IP_AT + 9] ?? 0;
  const at = CHECKSUM_AT[protocol];
  const to = Math.min(frame.length, IP_AT + readUint16(frame, IP_AT + 2));
  if (at === undefined || transportAt + at + 2 > to) return;
  writeUint16(frame, transportAt + at, 0);
  const [source, destination] = [readUint32(frame, IP_AT + 12), readUint32(frame, IP_AT + 16)];
  const pseudo =
    protocol === IpProtocol.icmp
      ? 0
      : pseudoHeaderSum(source, destination, protocol, to - transportAt);
  writeUint16(frame, transportAt + at, ~addSums(pseudo, sumOf(frame, transportAt, to)) & 0xffff);
}

/** What leaves the stack is well formed, whatever came in. */
function checkOutgoing(packet: Uint8Array, heard: Heard): void {
  expect(packet.length - 14).toBeLessThanOrEqual(MTU);
  if (readUint16(packet, 12) !== EtherType.ipv4) return;
  const ip = emptyIpv4();
  expect(decodeIpv4(packet, IP_AT, packet.length, ip)).toBeUndefined();
  if (ip.protocol !== IpProtocol.tcp) return;
  const tcp = emptyTcp();
  expect(decodeTcp(packet, TRANSPORT_AT, packet.length, tcp)).toBeUndefined();
  if ((tcp.flags & TcpFlag.rst) === 0) {
    const isSyn = (tcp.flags & TcpFlag.syn) !== 0;
    heard.port = tcp.destinationPort;
    heard.seq = tcp.ack;
    heard.ack = (tcp.seq + packet.length - TRANSPORT_AT - tcp.headerBytes + (isSyn ? 1 : 0)) >>> 0;
  }
  const pseudo = pseudoHeaderSum(ip.source, ip.destination, 6, packet.length - TRANSPORT_AT);
  expect(addSums(pseudo, sumOf(packet, TRANSPORT_AT, packet.length))).toBe(0xffff);
}

describe('mutated frames', () => {
  test.each(['fuzz 1', 'fuzz 2', 'fuzz 3', 'fuzz 4'])('%s', (seed) => {
    const random = seededRandom(seed);
    const script = TcpScript.server({ seed, config: { timeWaitMs: 1000 } });
    const heard = {
      port: PEER_PORT,
      seq: [1000, 0xffff_f000, 0x7fff_f000][random.below(3)] ?? 0,
      ack: 0,
    };
    const { stack } = script;
    stack.udp.bind({ address: 0, port: 53 }, { datagram: () => undefined });
    let now = 0;
    let sent = 0;
    const dispatch = (): void =>
      stack.dispatch(now, (_, packet) => {
        sent += 1;
        checkOutgoing(packet, heard);
      });
    for (let count = 0; count < FRAMES_PER_SEED; count += 1) {
      now += random.below(50) === 0 ? random.below(500) : 0;
      stack.process(now, script.netInterface, mutate(sensible(heard, random), random));
      if (random.below(3) === 0) dispatch();
      if (random.below(20) === 0) script.socket?.write(new Uint8Array(random.below(5000)));
      if (random.below(200) === 0) script.socket?.close();
    }
    expect(sent).toBeGreaterThan(100);
    expect(stack.tcp.counters.passiveOpens).toBeGreaterThan(20);
    expect(script.received.length).toBeGreaterThan(10_000);
    expect(stack.reassemblyBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    // Left alone, it comes to rest: every connection ends, every timer with it.
    for (const socket of stack.tcp.sockets()) socket.close();
    for (let turns = 0; stack.pollAt() !== Number.POSITIVE_INFINITY && turns < 10_000; turns += 1) {
      now = Math.max(now, stack.pollAt());
      dispatch();
    }
    expect([stack.tcp.connectionCount, stack.reassemblyBytes]).toEqual([0, 0]);
  });
});

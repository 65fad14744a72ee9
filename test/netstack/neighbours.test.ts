// ARP and the neighbour table: RFC 826 with the timers of Linux.
import { describe, expect, test } from 'vitest';
import { ArpOperation, encodeArp } from '../../src/wire/arp.ts';
import { encodeEthernet, EtherType } from '../../src/wire/ethernet.ts';
import { BROADCAST_MAC } from '../../src/wire/mac.ts';
import { PEER_IP, PEER_MAC, STACK_IP } from './frames.ts';
import { echoFrame, show, StackBench } from './stack-bench.ts';

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

describe('ARP', () => {
  test('answers for every address of the stack, and for no other', () => {
    const bench = new StackBench();
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
    const bench = new StackBench({ knowsPeer: false });
    expect(bench.input(echoFrame(new Uint8Array(8))).map(show)).toEqual([
      'broadcast ARP, Request who-has 192.0.2.2 tell 192.0.2.1',
    ]);
    expect(bench.input(arpFrame(ArpOperation.reply, PEER_IP, STACK_IP)).map(show)).toEqual([
      'ICMP echo reply, id 7, seq 1, length 16',
    ]);
    expect(bench.stack.neighbours.entries()).toMatchObject([{ state: 'REACHABLE', mac: PEER_MAC }]);
  });

  test('asks three times, then gives up and says so', () => {
    const bench = new StackBench({ knowsPeer: false });
    bench.input(echoFrame(new Uint8Array(8)));
    expect(bench.advanceTo(10_000)).toHaveLength(2);
    expect(bench.drops()).toEqual({ 'neighbour-unreachable': 1 });
    expect(bench.stack.neighbours.entries()).toEqual([]);
    expect(bench.stack.pollAt()).toBe(Number.POSITIVE_INFINITY);
  });

  test('sixteen packets wait, the next is dropped', () => {
    const bench = new StackBench({ knowsPeer: false });
    for (let count = 0; count < 17; count += 1) bench.input(echoFrame(new Uint8Array(8)));
    expect(bench.drops()).toEqual({ 'neighbour-queue-full': 1 });
  });

  test('whoever watches drops sees what was not sent, whole but for the MAC it was to go to', () => {
    const unsent: string[] = [];
    const bench = new StackBench({
      knowsPeer: false,
      onDrop: (reason, packet, netInterface) =>
        unsent.push(`${reason} ${netInterface?.name} ${packet && show(packet)}`),
    });
    for (let count = 0; count < 17; count += 1) bench.input(echoFrame(new Uint8Array(8)));
    expect(unsent).toEqual(['neighbour-queue-full eth0 ICMP echo reply, id 7, seq 1, length 16']);
  });

  test('a stale neighbour is used and asked again, by unicast', () => {
    const bench = new StackBench({ knowsPeer: false });
    bench.input(arpFrame(ArpOperation.request, PEER_IP, STACK_IP));
    bench.advanceTo(30_001);
    expect(bench.stack.neighbours.entries()).toMatchObject([{ state: 'STALE' }]);
    expect(bench.input(echoFrame(new Uint8Array(8))).map(show)).toEqual([
      'ARP, Request who-has 192.0.2.2 tell 192.0.2.1',
      'ICMP echo reply, id 7, seq 1, length 16',
    ]);
  });

  test('nobody changes a permanent entry', () => {
    const bench = new StackBench();
    bench.input(arpFrame(ArpOperation.reply, PEER_IP, STACK_IP, 0x0e2a_0000_0666));
    expect(bench.stack.neighbours.entries()).toMatchObject([{ state: 'PERMANENT', mac: PEER_MAC }]);
  });

  test('a gratuitous announcement updates what is known and adds nothing', () => {
    const bench = new StackBench({ knowsPeer: false });
    bench.input(arpFrame(ArpOperation.request, 0xc000_0209, 0xc000_0209));
    expect(bench.stack.neighbours.entries()).toEqual([]);
    bench.input(arpFrame(ArpOperation.request, PEER_IP, STACK_IP));
    bench.input(arpFrame(ArpOperation.request, PEER_IP, PEER_IP, 0x0e2a_0000_0777));
    expect(bench.stack.neighbours.entries()).toMatchObject([{ mac: 0x0e2a_0000_0777 }]);
  });

  test('of more than 1,024 learned neighbours the oldest is forgotten', () => {
    const bench = new StackBench({ knowsPeer: false });
    for (let host = 0; host < 1030; host += 1)
      bench.input(arpFrame(ArpOperation.request, 0x0a00_0000 + host + 1, STACK_IP));
    const entries = bench.stack.neighbours.entries();
    expect([entries.length, entries[0]?.address]).toEqual([1024, 0x0a00_0007]);
  });

  test('other hardware and protocols are malformed', () => {
    const bench = new StackBench();
    bench.input(arpFrame(ArpOperation.request, PEER_IP, STACK_IP).with(15, 6));
    expect(bench.drops()).toEqual({ 'arp-malformed': 1 });
  });
});

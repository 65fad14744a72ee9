// Codecs, tables and stores of the data plane, with a peer beside them where there is one.
import dnsPacket from 'dns-packet';
import { build } from 'hdr-histogram-js';
import { IPv4, IPv4CidrRange } from 'ip-num';
import { cidrContains, parseCidr, parseIp, parseIpv4 } from '../src/base/ip.ts';
import { EventHeap } from '../src/bench/sim/event-heap.ts';
import { LatencyRecorder } from '../src/bench/stats/latency-recorder.ts';
import { MemoryStore } from '../src/controlplane/store/memory-store.ts';
import { decodeMessage } from '../src/dns/message/decode-message.ts';
import { encodeMessage } from '../src/dns/message/encode-message.ts';
import { PersistentMap } from '../src/services/persistent-map.ts';
import { checksumOf } from '../src/wire/checksum.ts';
import { decodeIpv4, emptyIpv4, encodeIpv4 } from '../src/wire/ipv4.ts';
import { formatPeer, formatTiming, measure, type Timing } from './measure.ts';

const CALLS = 5000;
const ENTRIES = 10_000;
const SEGMENT_BYTES = 1448;

type Print = (line: string) => void;

export async function parts(print: Print): Promise<void> {
  codecs(print);
  names(print);
  addresses(print);
  tables(print);
  simulation(print);
  await store(print);
}

type Call = (index: number) => unknown;

/** Times one call, made many times, and the same done by others. */
function time(
  print: Print,
  name: string,
  call: Call,
  peers: Readonly<Record<string, Call>> = {},
): void {
  const ours = timed(name, call);
  print(formatTiming(ours));
  for (const [peer, peerCall] of Object.entries(peers))
    print(formatPeer(ours, timed(peer, peerCall)));
}

function timed(name: string, call: Call): Timing {
  const results: unknown[] = [];
  return measure(name, CALLS, () => {
    let result: unknown;
    for (let index = 0; index < CALLS; index += 1) result = call(index);
    // Kept, so that no compiler leaves out what nobody would miss.
    results[0] = result;
  });
}

function codecs(print: Print): void {
  print('codecs');
  const packet = new Uint8Array(20 + SEGMENT_BYTES).map((_, index) => index);
  const header = { ...emptyIpv4(), source: 0x0a00_0001, destination: 0x0a00_0002, ttl: 64 };
  header.totalBytes = packet.length;
  time(print, 'IPv4 header, encode', () => encodeIpv4(packet, 0, header));
  time(print, 'IPv4 header, decode and check', () => decodeIpv4(packet, 0, packet.length, header));
  time(print, `Internet checksum of ${SEGMENT_BYTES} bytes`, () =>
    checksumOf(packet, 20, packet.length),
  );
}

function names(print: Print): void {
  print('DNS');
  const reply = dnsPacket.encode({
    type: 'response',
    questions: [{ type: 'A', name: 'web.default.svc.cluster.local' }],
    answers: [1, 2, 3].map((host) => ({
      type: 'A',
      name: 'web.default.svc.cluster.local',
      ttl: 5,
      data: `192.0.2.${host}`,
    })),
  });
  const decoded = decodeMessage(reply);
  const theirs = dnsPacket.decode(reply);
  const whole = { maxBytes: 512, compress: true };
  time(print, 'reply of 3 records, decode', () => decodeMessage(reply), {
    'dns-packet': () => dnsPacket.decode(reply),
  });
  time(print, 'reply of 3 records, encode, compressed', () => encodeMessage(decoded, whole), {
    'dns-packet, which does not compress': () => dnsPacket.encode(theirs),
  });
}

function addresses(print: Print): void {
  print('addresses');
  const texts = Array.from({ length: 256 }, (_, host) => `10.244.7.${host}`);
  const textAt = (index: number): string => texts[index & 255] ?? '';
  const cidr = parseCidr('10.244.0.0/16');
  const range = IPv4CidrRange.fromCidr('10.244.0.0/16');
  const ips = texts.flatMap((text) => parseIp(text) ?? []);
  const theirs = texts.map((text) => IPv4.fromString(text));
  if (cidr === undefined) return;
  time(print, 'IPv4 address, parse', (index) => parseIpv4(textAt(index)), {
    'ip-num': (index) => IPv4.fromString(textAt(index)),
  });
  time(print, 'is an address in a CIDR', (index) => cidrContains(cidr, ips[index & 255] ?? NO_IP), {
    'ip-num': (index) => range.contains(theirs[index & 255] ?? range.getFirst()),
  });
}

const NO_IP = { family: 'IPv4', value: 0 } as const;

function tables(print: Print): void {
  print('tables');
  const keys = Array.from({ length: ENTRIES }, (_, index) => `127.96.${index >> 8}.${index & 255}`);
  const persistent = PersistentMap.empty<string, number>().edit((draft) => {
    for (const [index, key] of keys.entries()) draft.set(key, index);
  });
  const plain = new Map(keys.map((key, index) => [key, index]));
  const keyAt = (index: number): string => keys[(index * 7919) % ENTRIES] ?? '';
  time(print, `routing table of ${ENTRIES}, look up`, (index) => persistent.get(keyAt(index)), {
    Map: (index) => plain.get(keyAt(index)),
  });
  // Who reads must not see half a change, so a Map would have to be copied.
  const change = (index: number): unknown =>
    persistent.edit((draft) => draft.set(keyAt(index), index));
  const ours = timed(`routing table of ${ENTRIES}, one change`, change);
  print(formatTiming(ours));
  const copies = 20;
  const copied = measure('a Map, copied and changed', copies, () => {
    for (let index = 0; index < copies; index += 1) new Map(plain).set(keyAt(index), index);
  });
  print(formatPeer(ours, copied));
}

function simulation(print: Print): void {
  print('simulation');
  const heap = new EventHeap();
  for (let index = 0; index < 1000; index += 1) heap.push(index, index, 0);
  time(print, 'event heap of 1000, pop and push', (index) => {
    const at = heap.nextTime;
    heap.pop();
    heap.push(at + ((index * 7919) % 1000), index, 0);
  });
  const recorder = new LatencyRecorder();
  const histogram = build({ bitBucketSize: 64, numberOfSignificantValueDigits: 3 });
  time(print, 'record a latency', (index) => recorder.record(index % 97), {
    'hdr-histogram-js': (index) => histogram.recordValue((index % 97) * 1000),
  });
}

async function store(print: Print): Promise<void> {
  print('store');
  await using memory = new MemoryStore();
  const commits = 20_000;
  const before = process.cpuUsage();
  for (let index = 0; index < commits; index += 1) {
    const name = `pod-${index}`;
    await memory.commit({
      key: { resource: 'pods', name: `default/${name}` },
      expected: 0,
      object: { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' } },
    });
  }
  const { user, system } = process.cpuUsage(before);
  const nanoseconds = ((user + system) * 1000) / commits;
  print(formatTiming({ name: 'memory store, create an object', nanoseconds }));
}

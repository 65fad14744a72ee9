// Codecs, tables and stores of the data plane, with a peer beside them where there is one.
import dnsPacket from 'dns-packet';
import { build } from 'hdr-histogram-js';
import { EventHeap } from '../src/bench/sim/event-heap.ts';
import { LatencyRecorder } from '../src/bench/stats/latency-recorder.ts';
import { MemoryStore } from '../src/controlplane/store/memory-store.ts';
import { decodeMessage } from '../src/dns/message/decode-message.ts';
import { PersistentMap } from '../src/services/persistent-map.ts';
import { checksumOf } from '../src/wire/checksum.ts';
import { decodeIpv4, emptyIpv4, encodeIpv4 } from '../src/wire/ipv4.ts';
import { formatTiming, measure } from './measure.ts';

const CALLS = 5000;
const ENTRIES = 10_000;
const SEGMENT_BYTES = 1448;

type Print = (line: string) => void;

export async function parts(print: Print): Promise<void> {
  codecs(print);
  tables(print);
  simulation(print);
  await store(print);
}

/** Times one call, made many times. */
function time(print: Print, name: string, call: (index: number) => unknown): void {
  const timing = measure(name, CALLS, () => {
    for (let index = 0; index < CALLS; index += 1) call(index);
  });
  print(formatTiming(timing));
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
  time(print, 'DNS reply of 3 records, decode', () => decodeMessage(reply));
  time(print, '  peer: dns-packet', () => dnsPacket.decode(reply));
}

function tables(print: Print): void {
  print('tables');
  const keys = Array.from({ length: ENTRIES }, (_, index) => `127.96.${index >> 8}.${index & 255}`);
  const persistent = PersistentMap.empty<string, number>().edit((draft) => {
    for (const [index, key] of keys.entries()) draft.set(key, index);
  });
  const plain = new Map(keys.map((key, index) => [key, index]));
  const keyAt = (index: number): string => keys[(index * 7919) % ENTRIES] ?? '';
  time(print, `routing table of ${ENTRIES}, look up`, (index) => persistent.get(keyAt(index)));
  time(print, '  peer: Map', (index) => plain.get(keyAt(index)));
  time(print, `routing table of ${ENTRIES}, one change`, (index) =>
    persistent.edit((draft) => draft.set(keyAt(index), index)),
  );
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
  time(print, 'record a latency', (index) => recorder.record(index % 97));
  const histogram = build({ bitBucketSize: 64, numberOfSignificantValueDigits: 3 });
  time(print, '  peer: hdr-histogram-js', (index) => histogram.recordValue((index % 97) * 1000));
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

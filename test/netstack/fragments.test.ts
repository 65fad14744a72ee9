// IPv4 reassembly and fragmentation: RFC 791, RFC 815.
import { describe, expect, test } from 'vitest';
import { IpProtocol } from '../../src/wire/ipv4.ts';
import { ipFrame, TRANSPORT_AT } from './frames.ts';
import { echoFrame, show, StackBench } from './stack-bench.ts';

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

describe('fragments', () => {
  const ping = echoMessage(4000);

  test('a ping of 4,000 bytes is put together and answered in fragments', () => {
    const bench = new StackBench({ mtuBytes: 1450 });
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
    const bench = new StackBench();
    const parts = fragments(ping, 1424);
    const frames = [...parts.slice(0, 2), ...parts.slice(0, 2), ...parts.slice(2)];
    expect(frames.flatMap((frame) => bench.input(frame))).toHaveLength(3);
  });

  test('an overlap throws the datagram away', () => {
    const bench = new StackBench();
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
    const bench = new StackBench();
    bench.input(
      ipFrame(new Uint8Array(bytes), { moreFragments, fragmentOffset, identification: 1 }),
    );
    expect(bench.drops()).toEqual({ 'fragment-malformed': 1 });
  });

  test('a second end is malformed', () => {
    const bench = new StackBench();
    for (const fragmentOffset of [800, 1600])
      bench.input(ipFrame(new Uint8Array(800), { fragmentOffset, identification: 1 }));
    expect([bench.drops(), bench.stack.reassemblyBytes]).toEqual([{ 'fragment-malformed': 1 }, 0]);
  });

  test('what is not whole after 30 s is dropped, its sender told', () => {
    const bench = new StackBench();
    const [first = ping] = fragments(ping, 1424);
    bench.input(first);
    expect(bench.stack.pollAt()).toBe(30_000);
    expect(bench.advanceTo(30_000).map(show)).toEqual([
      'ICMP ip reassembly time exceeded, length 556',
    ]);
    expect(bench.stack.reassemblyBytes).toBe(0);
  });

  test('without its first fragment nobody is told', () => {
    const bench = new StackBench();
    bench.input(fragments(ping, 1424)[1] ?? ping);
    expect(bench.advanceTo(30_000)).toEqual([]);
    expect(bench.drops()).toEqual({ 'fragment-timeout': 1 });
  });

  test('at most 4 MiB wait: the oldest make room', () => {
    const bench = new StackBench();
    for (let identification = 0; identification < 4000; identification += 1)
      bench.input(ipFrame(new Uint8Array(1400), { moreFragments: true, identification }));
    expect(bench.stack.reassemblyBytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(bench.stack.drops.count('fragment-memory')).toBe(4000 - Math.floor(4_194_304 / 1400));
  });
});

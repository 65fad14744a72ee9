import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { formatIp } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import {
  formatLeaseKey,
  formatLeaseValue,
  parseEtcdLease,
} from '../../src/overlay/etcd-lease-codec.ts';
import { EtcdLeases, type HeldLease, type LeaseRequest } from '../../src/overlay/etcd-leases.ts';
import type { Lease } from '../../src/overlay/lease.ts';
import { cidr, ip } from '../ipam/addresses.ts';
import { lease, netConf } from './leases.ts';
import { MemoryKv } from './memory-kv.ts';

const PREFIX = '/coreos.com/network/subnets/';
const HOUR_MS = 3_600_000;

let clock: ManualClock;
let kv: MemoryKv;
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock();
  kv = new MemoryKv(clock);
  stop = new AbortController();
});

afterEach(() => stop.abort());

function leasesOf(json: object = {}, seed = 'etcd'): EtcdLeases {
  const conf = netConf({ Backend: { Type: 'vxlan' }, ...json });
  return new EtcdLeases({ kv, conf, clock, random: seededRandom(seed), log: silentLogger });
}

function request(number: number, previous: string[] = []): LeaseRequest {
  const { subnet: _, ...ipv4 } = lease(number).ipv4 ?? { subnet: 0, publicIp: ip('::') };
  return { backendType: 'vxlan', ipv4, previous: previous.map(cidr) };
}

async function held(leases: EtcdLeases, wanted: LeaseRequest): Promise<HeldLease> {
  const outcome = await leases.acquire(wanted);
  if (outcome.kind !== 'acquired') throw new Error(outcome.kind);
  return outcome.held;
}

/** Lets everything run that waits for no clock. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

const keys = () => [...kv.entries.keys()].map((key) => key.slice(PREFIX.length));

describe('the keys and values of flannel', () => {
  const dual: Lease = {
    node: '192.168.64.3',
    backendType: 'vxlan',
    ipv4: {
      subnet: cidr('10.244.1.0/24'),
      publicIp: ip('192.168.64.3'),
      vtep: { vni: 1, mac: 0xc6d2_326f_8f44 },
    },
  };

  test('IPv4', () => {
    const value =
      '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}';
    expect(formatLeaseKey([cidr('10.244.1.0/24')])).toBe('10.244.1.0-24');
    expect(formatLeaseValue(dual)).toBe(value);
    expect(parseEtcdLease('10.244.1.0-24', value)).toEqual(dual);
  });

  test('both families', () => {
    const ipv6 = { subnet: cidr('2001:db8::/64'), publicIp: ip('2001:db8:9::3') };
    const both = { ...dual, ipv6 };
    const key = formatLeaseKey([cidr('10.244.1.0/24'), cidr('2001:db8::/64')]);
    expect(key).toBe('10.244.1.0-24&2001:db8::-64');
    expect(parseEtcdLease(key, formatLeaseValue(both))).toEqual(both);
  });

  test.each([
    ['10.244.1.0', '{}'],
    ['10.244.1.1-24', '{"PublicIP":"192.0.2.1","BackendType":"vxlan"}'],
    ['10.244.1.0-24', '{"PublicIP":"fd00::1","BackendType":"vxlan"}'],
    ['10.244.1.0-24', '{"PublicIP":"192.0.2.1"}'],
    ['10.244.1.0-24', 'nonsense'],
    ['fd00::-64', '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"vxlan"}'],
  ])('%s with %s is no lease', (key, value) => expect(parseEtcdLease(key, value)).toBeUndefined());
});

describe('acquiring', () => {
  test('a free subnet, never the first of the network, for a day', async () => {
    const lease1 = await held(leasesOf({ Network: '10.244.0.0/22' }), request(1));
    expect(lease1.expiresAt).toBe(24 * HOUR_MS);
    expect(['10.244.1.0-24', '10.244.2.0-24', '10.244.3.0-24']).toContain(keys()[0]);
    expect(kv.entries.get(lease1.key)?.hasTtl).toBe(true);
  });

  test('until all are leased', async () => {
    const leases = leasesOf({ Network: '10.244.0.0/22' });
    for (const number of [1, 2, 3]) await held(leases, request(number));
    expect(new Set(keys()).size).toBe(3);
    expect(await leases.acquire(request(4))).toEqual({
      kind: 'exhausted',
      network: cidr('10.244.0.0/22'),
    });
  });

  test('the one it has by its public address, with what is new in it', async () => {
    const first = await held(leasesOf(), request(1));
    const wanted = { ...request(1), backendType: 'host-gw' };
    const second = await held(leasesOf({}, 'another seed'), wanted);
    expect(second.key).toBe(first.key);
    expect(kv.entries.get(first.key)?.value).toContain('host-gw');
  });

  test('the one of its subnet.env, unless somebody has it', async () => {
    const previous = ['10.244.77.0/24'];
    const lease1 = await held(leasesOf(), request(1, previous));
    const lease2 = await held(leasesOf(), request(2, previous));
    expect(keys()[0]).toBe('10.244.77.0-24');
    expect(lease2.key).not.toBe(lease1.key);
  });

  test('a new one where the old does not fit the configuration', async () => {
    kv.put(`${PREFIX}10.9.0.0-24`, formatLeaseValue(lease(1)));
    await held(leasesOf(), request(1, ['10.9.0.0/24']));
    expect(keys()).toHaveLength(1);
    expect(keys()[0]).toMatch(/^10\.244\./);
  });

  test('another one after a lost race', async () => {
    kv.beforeWrite = () => {
      const wanted = formatLeaseKey([cidr('10.244.77.0/24')]);
      kv.put(PREFIX + wanted, formatLeaseValue(lease(2)), 60);
    };
    const lease1 = await held(leasesOf(), request(1, ['10.244.77.0/24']));
    expect(lease1.key).not.toBe(`${PREFIX}10.244.77.0-24`);
    expect(kv.entries.size).toBe(2);
  });

  test('a reservation stays one', async () => {
    kv.put(`${PREFIX}10.244.5.0-24`, formatLeaseValue(lease(1)));
    const lease1 = await held(leasesOf(), request(1));
    expect([lease1.key, lease1.expiresAt]).toEqual([`${PREFIX}10.244.5.0-24`, undefined]);
    expect(kv.entries.get(lease1.key)?.hasTtl).toBe(false);
  });

  test('two families at once', async () => {
    const json = { EnableIPv6: true, IPv6Network: 'fd00::/48' };
    const wanted = { ...request(1), ipv6: { publicIp: ip('2001:db8::1') } };
    const { lease: both } = await held(leasesOf(json), wanted);
    expect(both.ipv6?.subnet.prefixLength).toBe(64);
    expect(keys()[0]).toMatch(/^10\.244\.\d+\.0-24&fd00:0:0:[0-9a-f]+::-64$/);
  });
});

describe('keeping', () => {
  test('renews an hour before the end, day after day', async () => {
    const leases = leasesOf();
    const kept = leases.keep(await held(leases, request(1)), stop.signal);
    for (let hour = 0; hour < 100; hour += 1) {
      clock.advance(HOUR_MS);
      await settle();
    }
    expect(kv.entries.size).toBe(1);
    stop.abort();
    expect(await kept).toBe('aborted');
    expect(clock.pending).toBe(1);
  });

  test('survives a store that is away for a while', async () => {
    const leases = leasesOf();
    const kept = leases.keep(await held(leases, request(1)), stop.signal);
    await settle();
    kv.failures = 20;
    clock.advance(23 * HOUR_MS);
    for (let minute = 0; minute < 30; minute += 1) {
      await settle();
      clock.advance(60_000);
    }
    clock.advance(HOUR_MS);
    await settle();
    expect([kv.failures, kv.entries.size]).toEqual([0, 1]);
    stop.abort();
    await kept;
  });

  test('ends when the key is deleted', async () => {
    const leases = leasesOf();
    const lease1 = await held(leases, request(1));
    const kept = leases.keep(lease1, stop.signal);
    await settle();
    kv.drop(lease1.key);
    expect(await kept).toBe('revoked');
  });

  test('ends when another node has the subnet', async () => {
    const leases = leasesOf();
    const lease1 = await held(leases, request(1));
    const kept = leases.keep(lease1, stop.signal);
    await settle();
    kv.put(lease1.key, formatLeaseValue(lease(2)));
    expect(await kept).toBe('revoked');
  });

  test('becomes a reservation when somebody takes the TTL away', async () => {
    const leases = leasesOf();
    const lease1 = await held(leases, request(1));
    const kept = leases.keep(lease1, stop.signal);
    await settle();
    kv.put(lease1.key, kv.entries.get(lease1.key)?.value ?? '');
    await settle();
    clock.advance(100 * HOUR_MS);
    await settle();
    expect(kv.entries.get(lease1.key)?.hasTtl).toBe(false);
    stop.abort();
    await kept;
  });
});

describe('watching', () => {
  test('gives all leases at first and after each change, its own included', async () => {
    const leases = leasesOf();
    await held(leases, request(1, ['10.244.1.0/24']));
    const seen: string[] = [];
    const done = leases.watch(
      (all) => seen.push(all.map((each) => each.node).join(' ')),
      stop.signal,
    );
    await settle();
    await held(leases, request(2));
    kv.put(`${PREFIX}nonsense`, '{}');
    kv.drop(`${PREFIX}10.244.1.0-24`);
    expect(seen).toEqual([
      '172.18.0.2',
      '172.18.0.2 172.18.0.3',
      '172.18.0.2 172.18.0.3',
      '172.18.0.3',
    ]);
    stop.abort();
    await done;
  });

  test('lists again after failures and compaction, and nothing old is left', async () => {
    const leases = leasesOf();
    const lease1 = await held(leases, request(1));
    kv.failures = 1;
    kv.beforeWatch = () => {
      kv.drop(lease1.key);
      kv.put(`${PREFIX}10.244.9.0-24`, formatLeaseValue(lease(2)));
      kv.compact();
    };
    let last: readonly Lease[] = [];
    const done = leases.watch((all) => {
      last = all;
    }, stop.signal);
    await settle();
    expect(last).toEqual([]);
    clock.advance(100);
    await settle();
    expect(last.map((each) => each.ipv4 && formatIp(each.ipv4.publicIp))).toEqual(['172.18.0.3']);
    stop.abort();
    await done;
  });
});

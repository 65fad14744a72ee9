import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatIp } from '../../src/base/ip.ts';
import { HostLocalAllocator } from '../../src/ipam/host-local.ts';
import { parseRangeSets } from '../../src/ipam/range-set.ts';
import { IpamFileStore } from '../../src/node/ipam-file-store.ts';
import { cidr, ip } from '../ipam/addresses.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-ipam-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const owner = { containerId: 'c1', ifName: 'eth0' };

function allocatorOf(): HostLocalAllocator {
  const parsed = parseRangeSets([[{ subnet: cidr('10.244.1.0/24') }]]);
  const sets = parsed.kind === 'ok' ? parsed.sets : [];
  return new HostLocalAllocator({ sets, store: new IpamFileStore(folder) });
}

describe('IpamFileStore', () => {
  test('writes what host-local writes', () => {
    allocatorOf().allocate(owner);
    expect(readdirSync(folder).toSorted((a, b) => a.localeCompare(b))).toEqual([
      '10.244.1.2',
      'last_reserved_ip.0',
    ]);
    expect(readFileSync(join(folder, '10.244.1.2'), 'utf8')).toBe('c1\r\neth0');
    expect(readFileSync(join(folder, 'last_reserved_ip.0'), 'utf8')).toBe('10.244.1.2');
    expect(statSync(join(folder, '10.244.1.2')).mode & 0o777).toBe(0o600);
  });

  test('reads what host-local wrote, old form and locks included', () => {
    writeFileSync(join(folder, 'lock'), '');
    writeFileSync(join(folder, '10.244.1.7'), 'old-id\n');
    writeFileSync(join(folder, 'fd00::7'), 'six\r\neth0');
    writeFileSync(join(folder, 'last_reserved_ip.0'), '10.244.1.9');
    const store = new IpamFileStore(folder);
    const { leases, lastReserved } = store.load();
    expect(leases).toHaveLength(2);
    expect(leases).toEqual(
      expect.arrayContaining([
        { address: ip('10.244.1.7'), owner: { containerId: 'old-id', ifName: '' } },
        { address: ip('fd00::7'), owner: { containerId: 'six', ifName: 'eth0' } },
      ]),
    );
    expect(lastReserved).toEqual(new Map([[0, ip('10.244.1.9')]]));
    const outcome = allocatorOf().allocate(owner);
    expect(outcome).toMatchObject({ addresses: [{ address: ip('10.244.1.10') }] });
  });

  test('an address is reserved once, whoever asks', () => {
    const [a, b] = [new IpamFileStore(folder), new IpamFileStore(folder)];
    const lease = { address: ip('10.244.1.2'), owner };
    expect([a.reserve(lease), b.reserve(lease), a.reserve(lease)]).toEqual([true, false, false]);
    b.release(lease.address);
    b.release(lease.address);
    expect(a.load().leases).toEqual([]);
  });

  test('what a killed process left unfinished is cleared away', () => {
    writeFileSync(join(folder, '.unfinished-10.244.1.2'), 'c1');
    new IpamFileStore(folder).load();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('an empty file counts as taken until gc', () => {
    writeFileSync(join(folder, '10.244.1.2'), '');
    const allocator = allocatorOf();
    expect(allocator.allocate(owner)).toMatchObject({ addresses: [{ address: ip('10.244.1.3') }] });
    expect(allocator.gc([owner]).map((lease) => formatIp(lease.address))).toEqual(['10.244.1.2']);
    expect(readdirSync(folder)).not.toContain('10.244.1.2');
  });
});

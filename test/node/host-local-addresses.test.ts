import { expect, test } from 'vitest';
import { type Cidr, parseCidr } from '../../src/base/ip.ts';
import { silentLogger } from '../../src/base/log.ts';
import { MemoryLeaseStore } from '../../src/ipam/lease-store.ts';
import { hostLocalAddresses } from '../../src/node/host-local-addresses.ts';

const podCIDR = parseCidr('127.244.1.0/29');
if (podCIDR === undefined) throw new Error('bad CIDR');

function addressesWith(before: ReadonlyMap<string, string>, store = new MemoryLeaseStore()) {
  return hostLocalAddresses({ podCIDR: podCIDR as Cidr, store, before, log: silentLogger });
}

test('after a restart new addresses come after the old ones, and old ones stay taken until released', () => {
  const before = new Map([
    ['pod-a', '127.244.1.2'],
    ['pod-b', '127.244.1.4'],
  ]);
  const addresses = addressesWith(before);
  const next = (owner: string) => {
    const outcome = addresses.allocate(owner);
    return outcome.kind === 'allocated' ? outcome.address : outcome.message;
  };
  expect(next('new')).toBe('127.244.1.5');
  addresses.release('pod-a');
  expect(next('pod-a')).toBe('127.244.1.6');
  expect(next('late')).toBe('127.244.1.2');
  // .4 is still what the API says of pod-b.
  expect(next('later')).toBe('127.244.1.3');
  expect(next('latest')).toMatch(/no IP addresses available/);
});

test('what a Pod says that is no address is passed over', () => {
  const outcome = addressesWith(new Map([['pod', '']])).allocate('pod');
  expect(outcome).toEqual({ kind: 'allocated', address: '127.244.1.2' });
});

test('what the store has of pods that are gone is released, and the rest is kept', () => {
  const store = new MemoryLeaseStore();
  const first = addressesWith(new Map(), store);
  for (const owner of ['pod-a', 'pod-b', 'pod-c']) first.allocate(owner);
  const second = addressesWith(new Map([['pod-b', '127.244.1.3']]), store);
  expect(second.leases().map((lease) => lease.owner.containerId)).toEqual(['pod-b']);
  expect(second.usage()).toMatchObject({ used: 1, total: 5 });
  // The round robin goes on where it was.
  expect(second.allocate('pod-d')).toEqual({ kind: 'allocated', address: '127.244.1.5' });
});

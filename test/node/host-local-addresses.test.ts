import { expect, test } from 'vitest';
import { parseCidr } from '../../src/base/ip.ts';
import { hostLocalAddresses } from '../../src/node/host-local-addresses.ts';

const podCIDR = parseCidr('127.244.1.0/29');
if (podCIDR === undefined) throw new Error('bad CIDR');

test('after a restart new addresses come after the old ones, and old ones stay taken until released', () => {
  const before = new Map([
    ['pod-a', '127.244.1.2'],
    ['pod-b', '127.244.1.4'],
  ]);
  const addresses = hostLocalAddresses(podCIDR, before);
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
  const outcome = hostLocalAddresses(podCIDR, new Map([['pod', '']])).allocate('pod');
  expect(outcome).toEqual({ kind: 'allocated', address: '127.244.1.2' });
});

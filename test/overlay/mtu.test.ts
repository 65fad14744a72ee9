import { expect, test } from 'vitest';
import type { BackendConf } from '../../src/overlay/backend-conf.ts';
import { parseNetConf } from '../../src/overlay/net-conf.ts';
import { overlayMtu } from '../../src/overlay/mtu.ts';

function backendOf(json: object): BackendConf {
  const outcome = parseNetConf(JSON.stringify({ Network: '10.244.0.0/16', Backend: json }));
  if (outcome.kind === 'invalid') throw new Error(outcome.problems.join('; '));
  return outcome.conf.backend;
}

test.each([
  [{ Type: 'vxlan' }, 1500, 'IPv4', 1450],
  [{ Type: 'vxlan' }, 1500, 'IPv6', 1430],
  [{ Type: 'vxlan', MTU: 1400 }, 1500, 'IPv4', 1350],
  [{ Type: 'vxlan' }, 65_536, 'IPv4', 65_485],
  [{ Type: 'vxlan' }, 65_535, 'IPv4', 65_485],
  [{ Type: 'vxlan' }, 65_534, 'IPv4', 65_484],
  [{ Type: 'host-gw' }, 1500, 'IPv4', 1500],
] as const)('%j on an interface of %i over %s: %i', (json, mtu, family, expected) =>
  expect(overlayMtu(backendOf(json), mtu, family)).toBe(expected),
);

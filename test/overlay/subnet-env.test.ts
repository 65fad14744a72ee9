import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { formatSubnetEnv, writeSubnetEnv } from '../../src/overlay/subnet-env.ts';
import { cidr } from '../ipam/addresses.ts';

const ipv4 = { network: cidr('10.244.0.0/16'), subnet: cidr('10.244.1.0/24') };

test('as flannel writes it', () => {
  const ipv6 = { network: cidr('fd00:10:244::/48'), subnet: cidr('fd00:10:244:1::/64') };
  expect(formatSubnetEnv({ ipv4, ipv6, mtu: 1450, ipMasq: true })).toBe(
    [
      'FLANNEL_NETWORK=10.244.0.0/16',
      'FLANNEL_SUBNET=10.244.1.1/24',
      'FLANNEL_IPV6_NETWORK=fd00:10:244::/48',
      'FLANNEL_IPV6_SUBNET=fd00:10:244:1::1/64',
      'FLANNEL_MTU=1450',
      'FLANNEL_IPMASQ=true',
      '',
    ].join('\n'),
  );
});

test('replaces the file and leaves nothing beside it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-env-'));
  const path = join(folder, 'flannel', 'subnet.env');
  for (const mtu of [1450, 8950]) writeSubnetEnv(path, { ipv4, mtu, ipMasq: false });
  expect(readFileSync(path, 'utf8')).toContain('FLANNEL_MTU=8950\nFLANNEL_IPMASQ=false\n');
  expect(readdirSync(join(folder, 'flannel'))).toEqual(['subnet.env']);
  rmSync(folder, { recursive: true });
});

import { describe, expect, test } from 'vitest';
import { type ClusterConfigInput, resolveClusterConfig } from '../../src/cluster/cluster-config.ts';

function resolve(overlay: ClusterConfigInput['overlay'] & object) {
  return resolveClusterConfig({ overlay }, 'seed');
}

describe('overlay', () => {
  test('is vxlan on loopback with leases in Nodes unless told otherwise', () => {
    const outcome = resolveClusterConfig({}, 'seed');
    expect(outcome.kind === 'ok' && outcome.config.overlay).toMatchObject({
      netConf: '{"Network":"127.244.0.0/16","Backend":{"Type":"vxlan"}}',
      underlayMtu: 65_536,
      acceptPartialChecksums: false,
      checkPeers: false,
      etcd: undefined,
    });
  });

  test('takes a Backend as flannel does, and etcd with the size of the subnets', () => {
    const outcome = resolve({
      backend: { type: 'vxlan', VNI: 7, DirectRouting: true },
      underlayMTU: 1500,
      etcdEndpoints: 'http://127.0.0.1:2379, http://127.0.0.1:2389',
    });
    expect(outcome.kind === 'ok' && outcome.config.overlay).toMatchObject({
      netConf:
        '{"Network":"127.244.0.0/16","SubnetLen":24,"Backend":{"type":"vxlan","VNI":7,"DirectRouting":true}}',
      underlayMtu: 1500,
      etcd: {
        endpoints: ['http://127.0.0.1:2379', 'http://127.0.0.1:2389'],
        prefix: '/coreos.com/network',
      },
    });
  });

  test.each([
    [{ underlayMTU: 100 }, 'overlay.underlayMTU', /must be between 626 and 65536/],
    [{ underlayMTU: Number.NaN }, 'overlay.underlayMTU', /must be between/],
    [{ backend: { Type: 'wireguard' } }, 'overlay.backend', /podwire does not have wireguard/],
    [{ etcdEndpoints: 'localhost' }, 'overlay.etcdEndpoints', /http:\/\/127\.0\.0\.1:2379/],
    [{ etcdEndpoints: 'http://e:1', etcdPrefix: 'x' }, 'overlay.etcdPrefix', /coreos/],
  ])('%j is refused', (overlay, field, message) => {
    const outcome = resolve(overlay);
    expect(outcome.kind === 'invalid' && outcome.errors).toEqual([
      { field, message: expect.stringMatching(message) as unknown },
    ]);
  });
});

import { describe, expect, test } from 'vitest';
import { formatIp } from '../../src/base/ip.ts';
import { formatVtepData, parseVtepData } from '../../src/overlay/backend-data.ts';
import {
  annotationsOf,
  chosenPublicIp,
  leaseOfNode,
  type NodeView,
  storedVtep,
} from '../../src/overlay/kube-leases.ts';
import { cidr, ip } from '../ipam/addresses.ts';
import { lease, netConf } from './leases.ts';

const conf = netConf({ Backend: { Type: 'vxlan' } });
const PREFIX = 'flannel.alpha.coreos.com/';

function nodeOf(change: Record<string, string> = {}, podCidrs = ['10.244.2.0/24']): NodeView {
  return { name: 'node-2', podCidrs, annotations: { ...annotationsOf(lease(2)), ...change } };
}

function reasonOf(node: NodeView): string {
  const outcome = leaseOfNode(node, conf);
  return outcome.kind === 'refused' ? outcome.reason : outcome.kind;
}

describe('a lease in the annotations of a Node', () => {
  test('is written as flannel writes it', () => {
    expect(annotationsOf(lease(2))).toEqual({
      [`${PREFIX}kube-subnet-manager`]: 'true',
      [`${PREFIX}backend-type`]: 'vxlan',
      [`${PREFIX}backend-data`]: '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:02"}',
      [`${PREFIX}public-ip`]: '172.18.0.3',
    });
  });

  test('reads back', () =>
    expect(leaseOfNode(nodeOf(), conf)).toEqual({ kind: 'lease', lease: lease(2) }));

  test('of two families reads back', () => {
    const both = netConf({
      Backend: { Type: 'host-gw' },
      EnableIPv6: true,
      IPv6Network: 'fd00::/48',
    });
    const dual = {
      node: 'node-2',
      backendType: 'host-gw',
      ipv4: { subnet: cidr('10.244.2.0/24'), publicIp: ip('172.18.0.3') },
      ipv6: { subnet: cidr('fd00:0:0:2::/64'), publicIp: ip('2001:db8::2') },
    };
    const annotations = annotationsOf(dual);
    expect(annotations[`${PREFIX}backend-v6-data`]).toBe('null');
    const podCidrs = ['10.244.2.0/24', 'fd00:0:0:2::/64'];
    expect(leaseOfNode({ name: 'node-2', podCidrs, annotations }, both)).toEqual({
      kind: 'lease',
      lease: dual,
    });
  });

  test('the overwrite wins over the public address', () => {
    const outcome = leaseOfNode(nodeOf({ [`${PREFIX}public-ip-overwrite`]: '192.0.2.7' }), conf);
    expect(outcome).toMatchObject({ lease: { ipv4: { publicIp: ip('192.0.2.7') } } });
  });

  test.each([
    [nodeOf({ [`${PREFIX}kube-subnet-manager`]: 'false' }), 'notManaged'],
    [{ name: 'node-2', podCidrs: [], annotations: {} }, 'notManaged'],
    [nodeOf({}, []), 'pod cidr not assigned'],
    [nodeOf({}, ['10.9.0.0/24']), 'podCIDR 10.9.0.0/24 is not in the network 10.244.0.0/16'],
    [nodeOf({}, ['nonsense']), 'podCIDR "nonsense" is no CIDR'],
    [nodeOf({}, ['fd00::/64']), 'has no IPv4 podCIDR'],
    [nodeOf({ [`${PREFIX}public-ip`]: 'here' }), 'public-ip is no IPv4 address: "here"'],
  ])('%#: %s', (node, reason) => expect(reasonOf(node)).toContain(reason));

  test('what a restarted node keeps', () => {
    const node = nodeOf({ [`${PREFIX}node-public-ip`]: '192.0.2.1' });
    expect(storedVtep(node, 'IPv4')).toEqual(lease(2).ipv4?.vtep);
    expect(storedVtep(node, 'IPv6')).toBeUndefined();
    const chosen = chosenPublicIp(node, 'IPv4');
    expect(chosen && formatIp(chosen)).toBe('192.0.2.1');
    expect(chosenPublicIp(node, 'IPv6')).toBeUndefined();
  });
});

describe('BackendData', () => {
  test.each(['null', '', '{}', '{"VNI":"1","VtepMAC":"12:c6:65:89:b4:02"}', '{"VNI":1}', '"null"'])(
    '%j is no VTEP',
    (text) => expect(parseVtepData(text)).toBeUndefined(),
  );

  test('VNI 1 where an old lease has none', () =>
    expect(parseVtepData('{"VtepMAC":"12:c6:65:89:b4:02"}')).toEqual(lease(2).ipv4?.vtep));

  test('nothing is null', () => expect(formatVtepData(undefined)).toBe('null'));
});

import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { createNftablesMode } from '../../../src/proxy/modes/nftables-mode.ts';
import { nftEndpointName, nftServiceChain } from '../../../src/proxy/modes/nftables-names.ts';
import { TimeoutSet } from '../../../src/proxy/modes/timeout-set.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import { buildRoutingTable } from '../../../src/services/routing-state.ts';
import { endpoint, service, slice } from '../../services/objects.ts';

describe('nftables names', () => {
  // As kube-proxy's own tests have them.
  const name = { namespace: 'ns1', name: 'svc1', port: 'p80', protocol: 'TCP' } as const;

  test('carry a hash and the name', () => {
    expect(nftServiceChain('service', name)).toBe('service-ULMVA6XW-ns1/svc1/tcp/p80');
    expect(nftEndpointName('endpoint', name, { address: '10.180.0.1', port: 80 })).toBe(
      'endpoint-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80',
    );
  });

  test('have no colons, and end before nft’s limit', () => {
    const endpointName = nftEndpointName('endpoint', name, { address: '2001:db8::1', port: 80 });
    expect(endpointName).toMatch(/__2001\.db8\.\.1\/80$/);
    const long = nftServiceChain('service', { ...name, name: 'x'.repeat(300) });
    expect(long).toHaveLength('service-'.length + 240);
  });
});

describe('TimeoutSet', () => {
  test('remembers until the timeout, and anew from each use', () => {
    const set = new TimeoutSet();
    set.note('10.0.0.1', 0, 1000);
    expect(set.has('10.0.0.1', 999)).toBe(true);
    expect(set.has('10.0.0.1', 1000)).toBe(false);
    set.note('10.0.0.1', 900, 1000);
    expect(set.has('10.0.0.1', 1899)).toBe(true);
  });

  test('is full at 65,535 clients until some expire', () => {
    const set = new TimeoutSet();
    for (let index = 0; index < 65_535; index += 1) set.note(`client ${index}`, 0, 1000);
    set.note('one more', 500, 1000);
    expect(set.has('one more', 501)).toBe(false);
    set.note('one more', 1000, 1000);
    expect(set.has('one more', 1001)).toBe(true);
  });
});

test('affinity has no limit of a hundred clients an endpoint', () => {
  const clock = new ManualClock();
  const mode = createNftablesMode({
    context: nodeContext({ nodeIPs: ['192.168.0.2'] }),
    clock,
    random: seededRandom('nftables'),
  });
  mode.update(
    buildRoutingTable(
      { nodeName: 'here', zone: '' },
      {
        services: [service({ sessionAffinity: 'ClientIP' })],
        slices: [slice([1, 2, 3].map((last) => endpoint(`10.244.1.${last}`, 'here')))],
      },
    ),
  );
  const choose = (client: number): string => {
    const decision = mode.decide({
      protocol: 'TCP',
      source: { address: `10.244.${client >> 8}.${client & 255}`, port: 40_000 },
      destination: { address: '10.96.0.10', port: 80 },
    });
    return decision.kind === 'forward' ? decision.endpoint.address : decision.kind;
  };
  const clients = Array.from({ length: 1000 }, (_, index) => index);
  const first = clients.map(choose);
  expect(new Set(first).size).toBe(3);
  expect(clients.map(choose)).toEqual(first);
});

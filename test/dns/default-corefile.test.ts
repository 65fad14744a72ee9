import { expect, test } from 'vitest';
import { defaultCorefile, hostCorefile } from '../../src/dns/default-corefile.ts';

test('with an upstream the Corefile is what kubeadm installs', () => {
  expect(defaultCorefile({ domain: 'cluster.local', upstream: '/etc/resolv.conf' })).toBe(`.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
`);
});

test('without one nothing is forwarded, and nothing can loop', () => {
  const text = defaultCorefile({ domain: 'example.org' });
  expect(text).not.toMatch(/forward|loop/);
  expect(hostCorefile({ domain: 'example.org', upstream: '' })).not.toContain('fallthrough');
  expect(hostCorefile({ domain: 'example.org', upstream: '192.0.2.53' })).toContain(
    'forward . 192.0.2.53\n',
  );
});

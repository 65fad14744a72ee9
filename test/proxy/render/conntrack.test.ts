import { expect, test } from 'vitest';
import { renderConntrack } from '../../../src/proxy/render/conntrack.ts';

test('prints flows as conntrack -L does', () => {
  const client = { address: '10.244.1.9', port: 40_000 };
  const vip = { address: '10.96.0.10', port: 80 };
  const endpoint = { address: '10.244.1.7', port: 8080 };
  const tuples = {
    original: { source: client, destination: vip },
    reply: { source: endpoint, destination: client },
  };
  const text = renderConntrack([
    {
      protocol: 'TCP',
      expiresInMs: 431_999_900,
      state: 'ESTABLISHED',
      replied: true,
      assured: true,
      ...tuples,
    },
    { protocol: 'UDP', expiresInMs: 29_001, replied: false, assured: false, ...tuples },
  ]);
  expect(text).toBe(
    [
      'tcp      6 431999 ESTABLISHED src=10.244.1.9 dst=10.96.0.10 sport=40000 dport=80 src=10.244.1.7 dst=10.244.1.9 sport=8080 dport=40000 [ASSURED] mark=0 use=1',
      'udp      17 29 src=10.244.1.9 dst=10.96.0.10 sport=40000 dport=80 [UNREPLIED] src=10.244.1.7 dst=10.244.1.9 sport=8080 dport=40000 mark=0 use=1',
      '',
    ].join('\n'),
  );
});

import { expect, test } from 'vitest';
import { describeCluster } from '../../src/cli/describe-cluster.ts';
import { resolveClusterConfig } from '../../src/cluster/cluster-config.ts';
import type { ClusterSummary } from '../../src/cluster/cluster-summary.ts';

const summary: ClusterSummary = {
  nodes: [{ name: 'node-1', address: '192.0.2.1', podCIDR: '198.51.100.0/24', pods: 2 }],
  services: [
    {
      namespace: 'default',
      name: 'kubernetes',
      type: 'ClusterIP',
      clusterIP: '203.0.113.1',
      externalIPs: [],
      ports: [{ port: 443, protocol: 'TCP' }],
    },
    {
      namespace: 'shop',
      name: 'web',
      type: 'LoadBalancer',
      clusterIP: '203.0.113.7',
      externalIPs: ['192.0.2.200'],
      ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }],
    },
    {
      namespace: 'shop',
      name: 'redis',
      type: 'ClusterIP',
      clusterIP: '203.0.113.8',
      externalIPs: [],
      ports: [{ port: 6379, protocol: 'TCP' }],
    },
    {
      namespace: 'shop',
      name: 'waiting',
      type: 'LoadBalancer',
      clusterIP: 'None',
      externalIPs: [],
      ports: [{ port: 53, protocol: 'UDP' }],
    },
  ],
  pods: [
    {
      namespace: 'shop',
      name: 'stuck',
      phase: 'Pending',
      ready: false,
      podIP: '',
      node: '',
    },
  ],
};

test('nodes, Services, what is not ready, and lines to paste', () => {
  const outcome = resolveClusterConfig({}, 'seed');
  if (outcome.kind !== 'ok') throw new Error('the defaults work');
  expect(describeCluster(summary, outcome.config).split('\n')).toEqual([
    'NODE     ADDRESS     POD CIDR          PODS',
    'node-1   192.0.2.1   198.51.100.0/24   2',
    '',
    'NAMESPACE   SERVICE      TYPE           CLUSTER-IP    EXTERNAL-IP   PORT(S)',
    'default     kubernetes   ClusterIP      203.0.113.1   <none>        443/TCP',
    'shop        web          LoadBalancer   203.0.113.7   192.0.2.200   80:30080/TCP',
    'shop        redis        ClusterIP      203.0.113.8   <none>        6379/TCP',
    'shop        waiting      LoadBalancer   None          <pending>     53/UDP',
    '',
    'POD NOT READY   NAMESPACE   PHASE     NODE',
    'stuck           shop        Pending   <none>',
    '',
    'Try:',
    '  dig +short @127.0.0.1 -p 1053 web.shop.svc.cluster.local',
    '  curl http://127.0.0.1:30080',
    '  curl http://203.0.113.7:80',
    '  curl http://192.0.2.200:80',
    '  dig +short @127.0.0.1 -p 1053 redis.shop.svc.cluster.local',
    '  redis-cli -h 203.0.113.8 -p 6379 ping',
    '  dig +short @127.0.0.1 -p 1053 waiting.shop.svc.cluster.local',
  ]);
});

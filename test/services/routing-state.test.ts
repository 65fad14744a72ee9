import { describe, expect, test } from 'vitest';
import { buildRoutingTable, RoutingState } from '../../src/services/routing-state.ts';
import {
  diffFrontends,
  listFrontends,
  nodePortKey,
  portKey,
} from '../../src/services/routing-table.ts';
import { endpoint, service, slice } from './objects.ts';

const NODE = { nodeName: 'node-1', zone: '' };

function ready(state: RoutingState, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const name = `svc-${index}`;
    state.setService(service({ name, clusterIP: `10.96.1.${index}` }));
    state.setSlice(slice([endpoint('10.244.1.1', 'node-1')], { service: name }));
  }
}

describe('RoutingState', () => {
  test('joins Services with their endpoints and finds them by address and port', () => {
    const table = buildRoutingTable(NODE, {
      services: [
        service({
          type: 'LoadBalancer',
          externalIPs: ['203.0.113.7'],
          ports: [{ port: 80, nodePort: 30_080 }],
          ingress: ['198.51.100.4'],
        }),
      ],
      slices: [slice([endpoint('10.244.2.1', 'node-2'), endpoint('10.244.1.1', 'node-1')])],
    });
    const key = portKey('TCP', 80);
    const clusterIP = table.addresses.get('10.96.0.10')?.get(key);
    expect(clusterIP?.servicePort.endpoints.map((one) => one.key)).toEqual([
      '10.244.1.1:8080',
      '10.244.2.1:8080',
    ]);
    expect(table.addresses.get('203.0.113.7')?.get(key)?.kind).toBe('externalIP');
    expect(table.addresses.get('198.51.100.4')?.get(key)?.kind).toBe('loadBalancer');
    expect(table.nodePorts.get(nodePortKey('IPv4', 'TCP', 30_080))?.kind).toBe('nodePort');
    expect([...listFrontends(table)]).toHaveLength(4);
  });

  test('one endpoint change leaves every other service port the same object', () => {
    const state = new RoutingState(NODE);
    ready(state, 200);
    const before = state.build().table;
    state.setSlice(slice([endpoint('10.244.1.1', 'node-1', 'unready')], { service: 'svc-7' }));
    const report = state.build();
    expect(report.services).toEqual(['default/svc-7']);
    expect(report.table.version).toBe(before.version + 1);
    const changed = [...before.servicePorts.differences(report.table.servicePorts)];
    expect(changed.map(({ key }) => key)).toEqual(['IPv4 default/svc-7/TCP']);
    expect([...diffFrontends(before, report.table)].map((change) => change.after?.address)).toEqual(
      ['10.96.1.7'],
    );
    expect(before.servicePorts.get('IPv4 default/svc-7/TCP')?.categories.hasAny).toBe(true);
    expect(report.table.servicePorts.get('IPv4 default/svc-7/TCP')?.categories.hasAny).toBe(false);
  });

  test('added and deleted before a build is nothing', () => {
    const state = new RoutingState(NODE);
    state.setService(service());
    expect(state.pendingServices).toBe(1);
    state.deleteService({ namespace: 'default', name: 'web' });
    expect(state.pending).toBe(false);
    expect(state.build().table.version).toBe(0);
  });

  test('a deleted Service takes its frontends along, its slices wait for another', () => {
    const state = new RoutingState(NODE);
    state.setService(service());
    state.setSlice(slice([endpoint('10.244.1.1', 'node-1')]));
    const before = state.build().table;
    state.deleteService({ namespace: 'default', name: 'web' });
    const after = state.build().table;
    expect([...listFrontends(after)]).toEqual([]);
    expect([...diffFrontends(before, after)].map((change) => change.before?.address)).toEqual([
      '10.96.0.10',
    ]);
    state.setService(service({ clusterIP: '10.96.0.11' }));
    const again = state.build().table.addresses.get('10.96.0.11')?.get(portKey('TCP', 80));
    expect(again?.servicePort.categories.cluster).toHaveLength(1);
  });

  test('of two claims on one address and port the first by name has it, until it goes', () => {
    const claim = (name: string, clusterIP: string) =>
      service({ name, clusterIP, externalIPs: ['203.0.113.7'] });
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const state = new RoutingState(NODE);
      for (const name of order)
        state.setService(claim(name, name === 'a' ? '10.96.0.1' : '10.96.0.2'));
      const owner = () =>
        state.build().table.addresses.get('203.0.113.7')?.get(portKey('TCP', 80))?.servicePort.info
          .name.name;
      expect(owner()).toBe('a');
      state.deleteService({ namespace: 'default', name: 'a' });
      expect(owner()).toBe('b');
      state.deleteService({ namespace: 'default', name: 'b' });
      expect(owner()).toBeUndefined();
    }
  });

  test('a new zone looks at everything anew', () => {
    const state = new RoutingState(NODE);
    const hints = (zone: string) => ({ hints: { forZones: [{ name: zone }] } });
    state.setService(service());
    state.setSlice(
      slice([
        endpoint('10.244.1.1', 'node-1', 'ready', hints('a')),
        endpoint('10.244.2.1', 'node-2', 'ready', hints('b')),
      ]),
    );
    const cluster = () =>
      state.build().table.servicePorts.get('IPv4 default/web/TCP')?.categories.cluster.length;
    expect(cluster()).toBe(2);
    state.setZone('a');
    expect(cluster()).toBe(1);
  });

  test('health check node ports count distinct ready local addresses', () => {
    const state = new RoutingState(NODE);
    state.setService(
      service({
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 32_000,
        ports: [
          { name: 'http', port: 80 },
          { name: 'https', port: 443 },
        ],
      }),
    );
    const ports = [
      { name: 'http', port: 8080, protocol: 'TCP' as const },
      { name: 'https', port: 8443, protocol: 'TCP' as const },
    ];
    const endpoints = (state1: 'ready' | 'terminating') => [
      endpoint('10.244.1.1', 'node-1', state1),
      endpoint('10.244.1.2', 'node-1', 'terminating'),
      endpoint('10.244.2.1', 'node-2'),
    ];
    state.setSlice(slice(endpoints('ready'), { ports }));
    expect(state.build().table.healthCheckNodePorts.get('default/web')).toEqual({
      namespace: 'default',
      name: 'web',
      port: 32_000,
      localEndpoints: 1,
    });
    state.setSlice(slice(endpoints('terminating'), { ports }));
    expect(state.build().table.healthCheckNodePorts.get('default/web')?.localEndpoints).toBe(0);
  });

  test('reports the earliest cause of each Service since the start', () => {
    const state = new RoutingState(NODE, { startedAtMs: Date.parse('2026-01-01T00:00:00Z') });
    const at = (time: string, address: string, name: string) =>
      slice([endpoint(address)], {
        name,
        annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': time },
      });
    state.setSlice(at('2026-01-01T00:00:20Z', '10.244.1.1', 'web-1'));
    state.setSlice(at('2026-01-01T00:00:10Z', '10.244.1.2', 'web-2'));
    state.setSlice(at('2025-12-31T00:00:00Z', '10.244.1.3', 'web-3'));
    expect(state.build().triggeredAtMs).toEqual([Date.parse('2026-01-01T00:00:10Z')]);
  });
});

import { afterEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { Binding, ConnectionEvent, Decision, Flow } from '../../../src/proxy/flow.ts';
import { IpvsMode } from '../../../src/proxy/modes/ipvs-mode.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import { RoutingState } from '../../../src/services/routing-state.ts';
import { endpoint, service, type ServiceShape, slice, type State } from '../../services/objects.ts';

const open: IpvsMode[] = [];

afterEach(async () => {
  for (const mode of open.splice(0)) await mode.close();
});

let nextPort = 40_000;

function flow(source = '10.244.1.9', protocol: 'TCP' | 'UDP' = 'TCP'): Flow {
  nextPort += 1;
  return {
    protocol,
    source: { address: source, port: nextPort },
    destination: { address: '10.96.0.10', port: 80 },
  };
}

function setUp(shape: ServiceShape, addresses: readonly string[]) {
  const clock = new ManualClock();
  const state = new RoutingState({ nodeName: 'node-1', zone: '' });
  const mode = new IpvsMode({
    context: nodeContext({ nodeIPs: ['192.168.0.2'] }),
    clock,
    random: seededRandom('ipvs'),
  });
  open.push(mode);
  const update = (nextShape: ServiceShape, next: readonly (string | [string, State])[]): void => {
    state.setService(service(nextShape));
    const protocol = nextShape.ports?.[0]?.protocol ?? 'TCP';
    state.setSlice(
      slice(
        next.map((one) =>
          typeof one === 'string' ? endpoint(one, 'node-1') : endpoint(one[0], 'node-1', one[1]),
        ),
        { ports: [{ name: '', port: 8080, protocol }] },
      ),
    );
    mode.update(state.build().table);
  };
  update(shape, addresses);
  const servers = (): string[] =>
    (mode.director.listServices()[0]?.destinations ?? []).map(
      (one) => `${one.address} w${one.weight} ${one.activeConnections}/${one.inactiveConnections}`,
    );
  return { mode, clock, update, servers, state };
}

function forwarded(decision: Decision): { address: string; binding: Binding } {
  if (decision.kind !== 'forward' || decision.binding === undefined)
    throw new Error(`not forwarded: ${decision.kind}`);
  return { address: decision.endpoint.address, binding: decision.binding };
}

function tell(binding: Binding, ...events: ConnectionEvent[]): void {
  for (const event of events) binding.event(event);
}

const TWO = ['10.244.1.1', '10.244.1.2'];
const STICKY: ServiceShape = {
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
};

describe('ipvs mode', () => {
  test('takes real servers by turns', () => {
    const { mode } = setUp({}, TWO);
    const chosen = [1, 2, 3, 4].map(() => forwarded(mode.decide(flow())).address);
    expect(chosen[0]).not.toBe(chosen[1]);
    expect(chosen.slice(2)).toEqual(chosen.slice(0, 2));
  });

  test('makes a virtual server for each address, not for loopback', () => {
    const { mode } = setUp(
      {
        type: 'LoadBalancer',
        ports: [{ port: 80, nodePort: 30_080 }],
        externalIPs: ['203.0.113.7'],
        ingress: ['198.51.100.4'],
      },
      TWO,
    );
    const ids = mode.director
      .listServices()
      .map(({ id }) => (id.kind === 'address' ? `${id.address}:${id.port}` : ''));
    expect(ids.toSorted()).toEqual([
      '10.96.0.10:80',
      '192.168.0.2:30080',
      '198.51.100.4:80',
      '203.0.113.7:80',
    ]);
  });

  test('counts connections as their sockets open and close', () => {
    const { mode, servers, clock } = setUp({}, ['10.244.1.1']);
    const { binding } = forwarded(mode.decide(flow()));
    expect(servers()).toEqual(['10.244.1.1 w1 1/0']);
    tell(binding, 'established');
    expect(servers()).toEqual(['10.244.1.1 w1 1/0']);
    tell(binding, 'client-fin', 'server-fin', 'closed');
    expect(servers()).toEqual(['10.244.1.1 w1 0/1']);
    expect(mode.director.listConnections()[0]?.state).toBe('TIME_WAIT');
    clock.advance(130_000);
    expect(servers()).toEqual(['10.244.1.1 w1 0/0']);
  });

  test('an open connection never times out', () => {
    const { mode, servers, clock } = setUp({}, ['10.244.1.1']);
    const { binding } = forwarded(mode.decide(flow()));
    tell(binding, 'established');
    clock.advance(4 * 3_600_000);
    expect(servers()).toEqual(['10.244.1.1 w1 1/0']);
    tell(binding, 'closed');
    expect(mode.director.listConnections()[0]?.state).toBe('CLOSE');
  });

  test('a removed endpoint with connections drains with weight 0 until a look each minute finds none', () => {
    const { mode, servers, clock, update } = setUp({}, ['10.244.1.1']);
    const { binding } = forwarded(mode.decide(flow()));
    tell(binding, 'established');
    update({}, ['10.244.1.2']);
    expect(servers()).toEqual(['10.244.1.2 w1 0/0', '10.244.1.1 w0 1/0']);
    clock.advance(600_000);
    expect(servers()).toHaveLength(2);
    tell(binding, 'client-fin', 'server-fin', 'closed');
    clock.advance(240_000);
    expect(servers()).toEqual(['10.244.1.2 w1 0/0']);
  });

  test('a draining endpoint that comes back is added anew, at the head', () => {
    const { mode, servers, update } = setUp({}, ['10.244.1.1']);
    tell(forwarded(mode.decide(flow())).binding, 'established');
    update({}, ['10.244.1.2']);
    update({}, TWO);
    expect(servers()).toEqual(['10.244.1.1 w1 1/0', '10.244.1.2 w1 0/0']);
  });

  test('UDP real servers go at once', () => {
    const udp: ServiceShape = { ports: [{ port: 80, protocol: 'UDP' }] };
    const { mode, servers, update } = setUp(udp, ['10.244.1.1']);
    forwarded(mode.decide(flow('10.244.1.9', 'UDP')));
    update(udp, ['10.244.1.2']);
    expect(servers()).toEqual(['10.244.1.2 w1 0/0']);
  });

  test('deleting the Service revokes its connections', () => {
    const { mode, clock, state } = setUp({}, ['10.244.1.1']);
    const { binding } = forwarded(mode.decide(flow()));
    let revoked = 0;
    binding.onRevoked?.(() => (revoked += 1));
    tell(binding, 'established');
    state.deleteService({ namespace: 'default', name: 'web' });
    mode.update(state.build().table);
    clock.advance(100);
    expect(revoked).toBe(1);
  });

  test('persistence keeps a client, also while TIME_WAIT lasts', () => {
    const { mode, clock } = setUp(STICKY, TWO);
    const { address, binding } = forwarded(mode.decide(flow()));
    tell(binding, 'established', 'client-fin', 'server-fin', 'closed');
    clock.advance(100_000);
    expect(forwarded(mode.decide(flow())).address).toBe(address);
  });

  test('Services choose their scheduler by annotation', () => {
    const annotations = { 'podwire.io/ipvs-scheduler': 'mh,mh-fallback' };
    const { mode, update } = setUp({ annotations }, TWO);
    const listed = () => mode.director.listServices()[0];
    expect(listed()).toMatchObject({
      scheduler: 'mh',
      schedulerFlags: { fallback: true, port: false },
    });
    update({ annotations: { 'podwire.io/ipvs-scheduler': 'mh' } }, TWO);
    expect(listed()).toMatchObject({
      scheduler: 'mh',
      schedulerFlags: { fallback: false, port: true },
    });
    update({ annotations: { 'podwire.io/ipvs-scheduler': 'nonsense' } }, TWO);
    expect(listed()?.scheduler).toBe('rr');
  });

  test('tells what the director looked at', () => {
    const { mode } = setUp({ annotations: { 'podwire.io/ipvs-scheduler': 'wlc' } }, TWO);
    const steps: string[] = [];
    mode.decide(flow(), { step: (text) => steps.push(text) });
    expect(steps).toContain('virtual server');
    expect(steps.filter((text) => text === 'real server compared')).toHaveLength(2);
    expect(steps.at(-1)).toBe('forwarded');
  });

  test('without real servers the client is refused', () => {
    const { mode } = setUp({}, []);
    expect(mode.decide(flow()).kind).toBe('reject');
  });
});

test('asking where a flow may go changes nothing of where the next one goes', () => {
  for (const scheduler of ['rr', 'wrr', 'lblc', 'twos', 'mh', 'lc']) {
    const annotations = { 'podwire.io/ipvs-scheduler': scheduler };
    const addresses = ['10.244.1.1', '10.244.1.2', '10.244.1.3'];
    const run = (asking: boolean): string[] => {
      nextPort = 50_000;
      const { mode } = setUp({ annotations }, addresses);
      return Array.from({ length: 9 }, () => {
        if (asking) mode.reach(flow(), { step: () => {} });
        else flow();
        const decision = mode.decide(flow());
        return decision.kind === 'forward' ? decision.endpoint.address : decision.kind;
      });
    };
    expect([scheduler, run(true)]).toEqual([scheduler, run(false)]);
  }
});

import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { Decision, Flow } from '../../../src/proxy/flow.ts';
import { UserspaceMode } from '../../../src/proxy/modes/userspace-mode.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import { buildRoutingTable } from '../../../src/services/routing-state.ts';
import { endpoint, service, type ServiceShape, slice } from '../../services/objects.ts';

const FLOW: Flow = {
  protocol: 'TCP',
  source: { address: '10.244.1.9', port: 40_000 },
  destination: { address: '10.96.0.10', port: 80 },
};

function setUp(shape: ServiceShape, addresses: readonly string[]) {
  const clock = new ManualClock();
  const mode = new UserspaceMode({
    context: nodeContext({ nodeIPs: ['192.168.0.2'] }),
    clock,
    random: seededRandom('userspace'),
  });
  const update = (nextShape: ServiceShape, next: readonly string[]): void =>
    mode.update(
      buildRoutingTable(
        { nodeName: 'node-1', zone: '' },
        {
          services: [service(nextShape)],
          slices: [slice(next.map((address) => endpoint(address, 'node-1')))],
        },
      ),
    );
  update(shape, addresses);
  return { mode, clock, update, choose: () => addressOf(mode.decide(FLOW)) };
}

function addressOf(decision: Decision): string {
  return decision.kind === 'forward' ? decision.endpoint.address : decision.kind;
}

const THREE = ['10.244.1.1', '10.244.1.2', '10.244.1.3'];
const STICKY: ServiceShape = {
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
};

describe('userspace mode', () => {
  test('takes endpoints by turns in a shuffled order', () => {
    const { choose } = setUp({}, THREE);
    const round = [choose(), choose(), choose()];
    expect(new Set(round)).toEqual(new Set(THREE));
    expect([choose(), choose(), choose()]).toEqual(round);
  });

  test('the same set again does not disturb the round', () => {
    const { choose, update } = setUp({}, THREE);
    const round = [choose(), choose(), choose()];
    const first = choose();
    update({}, THREE.toReversed());
    expect([first, choose(), choose()]).toEqual(round);
  });

  test('accepts and closes without endpoints', () => {
    const { mode } = setUp({}, []);
    expect(mode.decide(FLOW)).toMatchObject({ kind: 'reject', afterAccept: true });
  });

  test('tries four endpoints with growing patience, then gives up', () => {
    const { mode } = setUp({}, THREE);
    const timeouts: number[] = [];
    let decision = mode.decide(FLOW);
    while (decision.kind === 'forward' && decision.relay !== undefined) {
      timeouts.push(decision.relay.dialTimeoutMs);
      decision = decision.relay.retry();
    }
    expect(timeouts).toEqual([250, 500, 1000, 2000]);
    expect(decision).toMatchObject({ kind: 'reject', afterAccept: true });
  });

  test('a failed dial binds the client to the next endpoint', () => {
    const { mode, choose } = setUp(STICKY, THREE);
    const first = mode.decide(FLOW);
    const second = first.kind === 'forward' ? first.relay?.retry() : undefined;
    expect(addressOf(second ?? first)).not.toBe(addressOf(first));
    expect(choose()).toBe(addressOf(second ?? first));
  });

  test('affinity is kept by use and ends with age', () => {
    const { choose, clock } = setUp(STICKY, THREE);
    const first = choose();
    clock.advance(59_999);
    expect(choose()).toBe(first);
    clock.advance(60_000);
    expect(choose()).not.toBe(first);
  });

  test('the affinity timeout of the first sight stays for good', () => {
    const { choose, clock, update } = setUp(STICKY, THREE);
    update({ ...STICKY, sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_400 } } }, THREE);
    const first = choose();
    clock.advance(60_000);
    expect(choose()).not.toBe(first);
  });
});

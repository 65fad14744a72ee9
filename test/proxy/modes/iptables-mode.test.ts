import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../../src/base/clock.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { Flow } from '../../../src/proxy/flow.ts';
import { createIptablesMode } from '../../../src/proxy/modes/iptables-mode.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import { buildRoutingTable } from '../../../src/services/routing-state.ts';
import { endpoint, service, type ServiceShape, slice } from '../../services/objects.ts';

const NODE = { nodeName: 'node-1', zone: '' };
const CLIENT = '10.244.1.9';

function flow(source = CLIENT, destination = '10.96.0.10', port = 80): Flow {
  return {
    protocol: 'TCP',
    source: { address: source, port: 40_000 },
    destination: { address: destination, port },
  };
}

function setUp(shape: ServiceShape, addresses: readonly string[]) {
  const clock = new ManualClock();
  const mode = createIptablesMode({
    context: nodeContext({ nodeIPs: ['192.168.0.2'] }),
    clock,
    random: seededRandom('iptables'),
  });
  const update = (nextShape: ServiceShape, next: readonly string[]): void =>
    mode.update(
      buildRoutingTable(NODE, {
        services: [service(nextShape)],
        slices: [slice(next.map((address) => endpoint(address, 'node-1')))],
      }),
    );
  update(shape, addresses);
  const choose = (source?: string): string => {
    const decision = mode.decide(flow(source));
    return decision.kind === 'forward' ? decision.endpoint.address : decision.kind;
  };
  return { mode, clock, choose, update };
}

const THREE = ['10.244.1.1', '10.244.1.2', '10.244.1.3'];
const STICKY: ServiceShape = {
  sessionAffinity: 'ClientIP',
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
};

describe('iptables mode', () => {
  test('gives every endpoint its share', () => {
    const { choose } = setUp({}, THREE);
    const counts = new Map<string, number>();
    const draws = 30_000;
    for (let index = 0; index < draws; index += 1) {
      const address = choose();
      counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    // Five standard deviations of a binomial count.
    const margin = 5 * Math.sqrt(draws * (1 / 3) * (2 / 3));
    for (const address of THREE)
      expect(Math.abs((counts.get(address) ?? 0) - draws / 3)).toBeLessThan(margin);
  });

  test('masquerades a pod that reaches itself', () => {
    const { mode } = setUp({}, ['10.244.1.1']);
    expect(mode.decide(flow('10.244.1.1'))).toMatchObject({ masquerade: true });
    expect(mode.decide(flow('10.244.1.2'))).toMatchObject({ masquerade: false });
  });

  test('affinity slides with every connection and ends after the timeout', () => {
    const { choose, clock } = setUp(STICKY, THREE);
    const first = choose();
    for (let index = 0; index < 50; index += 1) {
      clock.advance(59_000);
      expect(choose()).toBe(first);
    }
    const afterTimeout = new Set<string>();
    for (let index = 0; index < 50; index += 1) {
      clock.advance(60_001);
      afterTimeout.add(choose());
    }
    expect(afterTimeout.size).toBe(3);
  });

  test('an endpoint that goes takes its clients along', () => {
    const { choose, update } = setUp(STICKY, THREE);
    const first = choose();
    update(
      STICKY,
      THREE.filter((address) => address !== first),
    );
    expect(choose()).not.toBe(first);
    update(STICKY, THREE);
    expect(choose()).not.toBe(first);
  });

  test('refuses without endpoints and passes what is no Service', () => {
    const { mode } = setUp({}, []);
    expect(mode.decide(flow()).kind).toBe('reject');
    expect(mode.decide(flow(CLIENT, '10.96.0.99')).kind).toBe('pass');
    expect(mode.decide(flow(CLIENT, '10.96.0.10', 81)).kind).toBe('pass');
  });

  test('tells which rules it followed', () => {
    const { mode } = setUp({ namespace: 'default', name: 'web' }, THREE);
    const steps: string[] = [];
    mode.decide(flow(), { step: (text) => steps.push(text) });
    expect(steps[0]).toBe('nat KUBE-SERVICES: 10.96.0.10:80/TCP is a cluster IP');
    expect(steps.some((text) => text.startsWith('statistic rule 1 of 3'))).toBe(true);
    expect(steps.at(-1)).toMatch(/^KUBE-SEP-[A-Z2-7]{16}: DNAT$/);
  });
});

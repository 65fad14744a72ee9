import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import type { EngineConnection, Route } from '../../src/proxy/engine/engine.ts';
import { Ingress, type NodeProxy } from '../../src/proxy/ingress.ts';
import type { Spot } from '../../src/proxy/listen-problem.ts';
import { socklessEngine } from '../support/sockless-engine.ts';

/** A node that says its name by the address it would dial. */
function node(name: string, prefix: string): NodeProxy {
  return {
    owns: (address) => address.startsWith(prefix),
    route: () => ({ kind: 'dial', address: name, port: 1 }),
    datagram: () => {},
  };
}

function setUp() {
  const { engine, listening: routers, revocations } = socklessEngine();
  const dial = (key: string, source: string): Route | undefined =>
    routers.get(key)?.route({ source: { address: source, port: 1 } } as EngineConnection);
  const clock = new ManualClock();
  const events = { problem: () => {}, solved: () => {} };
  const ingress = new Ingress({ engine, clock, events });
  const a = node('a', '10.1.');
  const b = node('b', '10.2.');
  ingress.join(a);
  ingress.join(b);
  const enters = (key: string, source: string): string | undefined => {
    const route = dial(key, source);
    return route?.kind === 'dial' ? route.address : route?.kind;
  };
  return { ingress, a, b, routers, enters, revocations };
}

const FOR_WEB = { kind: 'traffic', service: 'default/web', text: 'default/web' } as const;
const VIP: Spot = { protocol: 'TCP', address: '10.96.0.1', port: 80 };
const PORT_OF_B: Spot = { protocol: 'TCP', address: '10.2.0.1', port: 30_000 };

describe('ingress', () => {
  test('flows to a Service address enter where the client belongs, strangers at the first node', async () => {
    const { ingress, a, b, enters } = setUp();
    ingress.claim(VIP, a, FOR_WEB);
    ingress.claim(VIP, b, FOR_WEB);
    await ingress.settled();
    expect(enters('10.96.0.1:80', '10.1.0.7')).toBe('a');
    expect(enters('10.96.0.1:80', '10.2.0.7')).toBe('b');
    expect(enters('10.96.0.1:80', '192.0.2.1')).toBe('a');
    await ingress.close();
  });

  test('a node that did not ask for a shared listener still decides for its clients', async () => {
    const { ingress, a, enters } = setUp();
    ingress.claim(VIP, a, FOR_WEB);
    await ingress.settled();
    expect(enters('10.96.0.1:80', '10.2.0.7')).toBe('b');
    await ingress.close();
  });

  test("what is sent to a node's own address is that node's", async () => {
    const { ingress, b, enters } = setUp();
    ingress.claim(PORT_OF_B, b, FOR_WEB);
    await ingress.settled();
    expect(enters('10.2.0.1:30000', '10.1.0.7')).toBe('b');
    expect(enters('10.2.0.1:30000', '192.0.2.1')).toBe('b');
    await ingress.close();
  });

  test('a node that leaves takes its claims along, and the next becomes the first', async () => {
    const { ingress, a, b, enters, routers } = setUp();
    ingress.claim(VIP, a, FOR_WEB);
    ingress.claim(VIP, b, FOR_WEB);
    ingress.claim({ ...VIP, port: 81 }, a, FOR_WEB);
    await ingress.settled();
    expect(enters('10.96.0.1:80', '192.0.2.1')).toBe('a');
    ingress.leave(a);
    await ingress.settled();
    expect(enters('10.96.0.1:80', '192.0.2.1')).toBe('b');
    expect([...routers.keys()]).toEqual(['10.96.0.1:80']);
    ingress.leave(b);
    await ingress.settled();
    expect(routers.size).toBe(0);
  });

  test('no answer stands longer than which node a client enters at', async () => {
    const { ingress, a, b, revocations } = setUp();
    const revokes = (change: () => void): boolean => {
      const before = revocations();
      change();
      return revocations() > before;
    };
    expect(revokes(() => ingress.claim(VIP, a, FOR_WEB))).toBe(true);
    expect(revokes(() => ingress.claim(VIP, b, FOR_WEB))).toBe(true);
    expect(revokes(() => ingress.forgetClients())).toBe(true);
    expect(revokes(() => ingress.release(VIP, b))).toBe(true);
    expect(revokes(() => ingress.leave(a))).toBe(true);
    expect(revokes(() => ingress.join(a))).toBe(true);
    await ingress.close();
  });
});

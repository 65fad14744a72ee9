import { describe, expect, test } from 'vitest';
import { kernelBehaviour } from '../../../src/proxy/ipvs/kernel.ts';
import { backend, DNS, director, WEB } from './director.ts';

const EVERY_BIT = 0xffff_ffff;
const persistence = { timeoutMs: 300_000, netmask: EVERY_BIT };

describe('a client with a template', () => {
  test('keeps its destination through weight 0 and thresholds', () => {
    const { ipvs, send } = director('rr', [1, 1], { settings: { persistence } });
    expect(send('10.1.0.1:1')).toBe('10.2.0.2:8080');
    ipvs.editDestination(WEB, backend(2), { weight: 0, upperThreshold: 1 });
    expect(send('10.1.0.1:2')).toBe('10.2.0.2:8080');
    expect(send('10.1.0.2:3')).toBe('10.2.0.1:8080');
  });

  test('loses it with expire_quiescent_template; the dead template stays in the table', () => {
    for (const [version, virtualPort] of [
      ['7.3.4', 80],
      ['6.1.176', 65_535],
    ] as const) {
      const kernel = kernelBehaviour(version);
      if (kernel === undefined) throw new Error('a version');
      const { ipvs, send } = director('rr', [1, 1], {
        kernel,
        settings: { persistence },
        sysctls: { expire_quiescent_template: 1 },
      });
      send('10.1.0.1:1');
      ipvs.editDestination(WEB, backend(2), { weight: 0 });
      expect(send('10.1.0.1:2')).toBe('10.2.0.1:8080');
      ipvs.editDestination(WEB, backend(2), { weight: 1 });
      expect(send('10.1.0.1:3')).toBe('10.2.0.1:8080');
      const [dead] = ipvs.listConnections();
      expect(dead).toMatchObject({
        virtual: { port: virtualPort },
        destination: { address: '10.2.0.2', port: 65_535 },
      });
    }
  });

  test('is a network with a netmask', () => {
    const masks = { ...persistence, netmask: 0xffff_ff00 };
    const { ipvs, send } = director('rr', [1, 1], { settings: { persistence: masks } });
    expect(send('10.1.0.1:1')).toBe('10.2.0.2:8080');
    expect(send('10.1.0.200:1')).toBe('10.2.0.2:8080');
    expect(send('10.1.1.1:1')).toBe('10.2.0.1:8080');
    expect(ipvs.listConnections()[0]?.client).toEqual({ address: '10.1.0.0', port: 0 });
  });

  test('of a mark shares one template for all addresses, ports and protocols', () => {
    const service = { kind: 'fwmark', fwmark: 1, family: 'IPv4' } as const;
    const { ipvs, send } = director('rr', [1, 1], { service, settings: { persistence } });
    expect(send('10.1.0.1:1', WEB)).toBe('10.2.0.2:80');
    expect(send('10.1.0.1:1', DNS)).toBe('10.2.0.2:53');
    expect(ipvs.listConnections()[0]).toMatchObject({
      protocol: 'IP',
      virtual: { address: '0.0.0.1', port: 0 },
      destination: { port: 0 },
      state: 'NONE',
    });
  });

  test('of a mark in IPv6 is masked by prefix length', () => {
    const service = { kind: 'fwmark', fwmark: 1, family: 'IPv6' } as const;
    const { ipvs } = director('rr', [], {
      service,
      settings: { persistence: { timeoutMs: 1000, netmask: 64 } },
    });
    for (const number of [1, 2])
      ipvs.addDestination(service, { address: `fd00:2::${number}`, port: 80 }, { weight: 1 });
    const chosen = ['fd00:1::1', 'fd00:1::ffff', 'fd00:1:0:1::1'].map((address) => {
      const outcome = ipvs.schedule({
        protocol: 'TCP',
        source: { address, port: 1 },
        destination: { address: 'fd00:96::1', port: 80 },
        fwmark: 1,
      });
      return outcome.kind === 'forward' ? outcome.destination.address : outcome.kind;
    });
    expect(chosen).toEqual(['fd00:2::2', 'fd00:2::2', 'fd00:2::1']);
    expect(ipvs.listConnections()[0]?.client.address).toBe('fd00:1::');
  });
});

describe("a template's time", () => {
  test('is put off by 60 s, for good, while connections hold it', () => {
    const short = { timeoutMs: 4000, netmask: EVERY_BIT };
    const { ipvs, clock, send, verdict } = director('rr', [1, 1], {
      settings: { persistence: short },
    });
    const outcome = verdict('10.1.0.1:1');
    if (outcome.kind !== 'forward') throw new Error('forwarded');
    clock.advance(6000);
    const expiry = (): number | undefined =>
      ipvs.listConnections().find((one) => one.template)?.expiresInMs;
    expect(expiry()).toBe(58_000);
    expect(send('10.1.0.1:2')).toBe('10.2.0.2:8080');
    expect(expiry()).toBe(60_000);
    clock.advance(130_000);
    expect(ipvs.connectionCount).toBe(0);
    expect(send('10.1.0.1:3')).toBe('10.2.0.1:8080');
  });

  test('is not counted as a connection, but as a persistent one', () => {
    const { ipvs, send, list } = director('rr', [1], { settings: { persistence } });
    send('10.1.0.1:1');
    expect(list()).toEqual([['10.2.0.1:8080', 1, 1, 0]]);
    expect(ipvs.listServices()[0]?.destinations[0]?.persistentConnections).toBe(1);
  });
});

test('templates of a removed destination go with its connections under expire_nodest_conn', () => {
  const { ipvs, clock, send } = director('rr', [1, 1], {
    settings: { persistence },
    sysctls: { expire_nodest_conn: 1 },
  });
  send('10.1.0.1:1');
  ipvs.deleteDestination(WEB, backend(2));
  clock.advance(10);
  expect(ipvs.connectionCount).toBe(0);
  expect(send('10.1.0.1:2')).toBe('10.2.0.1:8080');
});

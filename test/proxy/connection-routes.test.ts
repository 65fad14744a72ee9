import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { ConnectionRoutes } from '../../src/proxy/connection-routes.ts';
import { type Dialer, directDialer } from '../../src/proxy/dialer.ts';
import type { EngineConnection, StandingRoute } from '../../src/proxy/engine/engine.ts';
import type { Forward } from '../../src/proxy/flow.ts';
import { nodeContext } from '../../src/proxy/node-context.ts';
import type { Odds } from '../../src/proxy/proxy-mode.ts';

const NODE = '192.0.2.10';
const POD = '10.244.1.7';

function connectionFrom(port: number): EngineConnection {
  return {
    source: { address: POD, port },
    destination: { address: '10.96.0.1', port: 80 },
    bytesFromClient: 0,
    bytesFromServer: 0,
    kill: () => {},
  };
}

function forwardTo(address: string, masquerade = false): Forward {
  return { kind: 'forward', endpoint: { address, port: 8080 }, masquerade };
}

/** One of each kind; the second is the client itself. */
const ODDS: Odds = { forwards: [forwardTo('10.244.1.2'), forwardTo(POD, true)], seed: 9 };

function setUp(dialer: Dialer = directDialer) {
  const clock = new ManualClock();
  const routes = new ConnectionRoutes(nodeContext({ nodeIPs: [NODE] }), dialer, clock);
  const standing = (odds: Odds | undefined): StandingRoute | undefined => {
    const route = routes.routeOf(forwardTo('10.244.1.2'), connectionFrom(1), () => odds);
    return route.kind === 'dial' ? route.standing?.() : undefined;
  };
  return { clock, routes, standing };
}

test('where chance alone decides, the answer stands for every endpoint with the source each is to see', () => {
  const { standing } = setUp();
  expect(standing(ODDS)).toMatchObject({
    seed: 9,
    choices: [
      { address: '10.244.1.2', port: 8080, localAddress: POD },
      { address: POD, port: 8080, localAddress: NODE },
    ],
  });
  expect(standing(undefined)).toBeUndefined();
});

test('a connection that has followed it is in the book like one that was asked about', () => {
  const { routes, standing } = setUp();
  const connection = connectionFrom(2);
  const observer = standing(ODDS)?.taken(connection, 1);
  const tracked = () => [...routes.open].filter((one) => one.connection === connection);
  expect(tracked()).toMatchObject([
    { endpoint: { address: POD, port: 8080 }, seenAs: NODE, state: 'SYN_SENT' },
  ]);
  observer?.event('established', connection);
  expect(tracked()).toMatchObject([{ state: 'ESTABLISHED' }]);
  observer?.event('closed', connection);
  expect(tracked()).toEqual([]);
});

test.each<[string, Dialer['stream']]>([
  ['is reached through the overlay', () => ({ kind: 'stream', open: () => new PassThrough() })],
  ['may be reached otherwise later', (endpoint) => ({ kind: 'dial', ...endpoint })],
])('an answer does not stand when one endpoint %s', (_how, stream) => {
  const { standing } = setUp({
    ...directDialer,
    stream: (endpoint, source) =>
      endpoint.address === POD ? stream(endpoint, source) : directDialer.stream(endpoint, source),
  });
  expect(standing(ODDS)).toBeUndefined();
  expect(standing({ ...ODDS, forwards: ODDS.forwards.slice(0, 1) })).toBeDefined();
});

test('news of a connection that followed it may come after the end, and start nothing', () => {
  const { clock, routes, standing } = setUp();
  const answer = standing(ODDS);
  routes.close();
  answer?.taken(connectionFrom(2), 0);
  expect([...routes.open]).toHaveLength(2);
  expect(clock.pending).toBe(0);
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DialRoute, StandingRoute } from '../../../../src/proxy/engine/engine.ts';
import { FIELD, SlotTable, SOCKADDR_FIELD } from '../../../../src/proxy/engine/linux/mailbox.ts';
import { decodeSockaddr, encodeSockaddr } from '../../../../src/base/linux/sockaddr.ts';
import {
  allocateOffers,
  StandingOffers,
  StandingPicks,
} from '../../../../src/proxy/engine/linux/standing-routes.ts';

const SLOTS = 4;
const LISTENER = 2;

/** Both sides over one memory, one slot in use. */
function setUp() {
  const table = new SlotTable(SlotTable.allocate(SLOTS), SLOTS);
  const shared = allocateOffers();
  const offers = new StandingOffers(table, shared);
  const picks = new StandingPicks(table, shared);
  const arrive = (address: string, listener = LISTENER): void => {
    encodeSockaddr({ address, port: 40_000 }, table.sockaddr(0, SOCKADDR_FIELD.client));
    table.set(0, FIELD.listener, listener);
  };
  return {
    table,
    offers,
    picks,
    arrive,
    /** The thread has asked, the main thread answers. */
    answer: (address: string, route: DialRoute, listener = LISTENER): void => {
      arrive(address, listener);
      table.set(0, FIELD.standing, offers.offer(0, { address, port: 40_000 }, route));
      picks.learn(0);
    },
    /** Where the thread sends a client by itself. */
    follow: (address: string, listener = LISTENER) => {
      arrive(address, listener);
      if (!picks.follow(0)) return undefined;
      return {
        target: decodeSockaddr(table.sockaddr(0, SOCKADDR_FIELD.target)),
        source:
          table.get(0, FIELD.bound) === 1
            ? decodeSockaddr(table.sockaddr(0, SOCKADDR_FIELD.source)).address
            : undefined,
        standing: offers.find(table.get(0, FIELD.standing)),
        choice: table.get(0, FIELD.choice),
      };
    },
  };
}

function standingRoute(choices: StandingRoute['choices'], seed = 1): StandingRoute {
  return { choices, seed, taken: () => undefined };
}

function routeWith(standing: StandingRoute | undefined): DialRoute {
  return { kind: 'dial', address: '10.0.0.1', port: 80, standing: () => standing };
}

const ONE = standingRoute([{ address: '10.244.1.1', port: 8080, localAddress: '10.244.1.9' }]);

test.each(['192.0.2.1', '2001:db8::7', '::ffff:192.0.2.1'])(
  'who comes a second time, as %s, is let through the third time',
  (client) => {
    const { answer, follow } = setUp();
    answer(client, routeWith(ONE));
    expect(follow(client)).toBeUndefined();
    answer(client, routeWith(ONE));
    expect(follow(client)).toEqual({
      target: { address: '10.244.1.1', port: 8080 },
      source: '10.244.1.9',
      standing: ONE,
      choice: 0,
    });
    expect(follow(client, LISTENER + 1)).toBeUndefined();
    expect(follow('192.0.2.2')).toBeUndefined();
  },
);

test('all choices are drawn alike, the same way for the same seed', () => {
  const drawn = (seed: number): number[] => {
    const { answer, follow } = setUp();
    const choices = [1, 2, 3].map((last) => ({ address: `2001:db8::${last}`, port: 80 }));
    const route = routeWith(standingRoute(choices, seed));
    for (let asked = 0; asked < 2; asked += 1) answer('192.0.2.1', route);
    return Array.from({ length: 3000 }, () => {
      const went = follow('192.0.2.1');
      expect(went?.target.address).toBe(`2001:db8::${(went?.choice ?? 0) + 1}`);
      expect(went?.source).toBeUndefined();
      return went?.choice ?? -1;
    });
  };
  const first = drawn(5);
  for (const choice of [0, 1, 2]) {
    const share = first.filter((one) => one === choice).length;
    // Four standard deviations of a third of 3,000.
    expect(Math.abs(share - 1000)).toBeLessThan(104);
  }
  expect(drawn(5)).toEqual(first);
  expect(drawn(6)).not.toEqual(first);
});

test('a source of another family than the target’s is not bound to', () => {
  const { answer, follow } = setUp();
  const route = routeWith(
    standingRoute([{ address: '2001:db8::1', port: 80, localAddress: '10.244.1.9' }]),
  );
  for (let asked = 0; asked < 2; asked += 1) answer('192.0.2.1', route);
  expect(follow('192.0.2.1')?.source).toBeUndefined();
});

test('nothing is offered without a standing answer, or with more than 256 choices', () => {
  const { answer, follow } = setUp();
  const many = (count: number): DialRoute =>
    routeWith(standingRoute(Array.from({ length: count }, () => ({ address: '::1', port: 1 }))));
  const routes = {
    '192.0.2.1': routeWith(undefined),
    '192.0.2.2': many(257),
    '192.0.2.3': many(256),
  };
  for (const [client, route] of Object.entries(routes))
    for (let asked = 0; asked < 3; asked += 1) answer(client, route);
  const followed = Object.keys(routes).filter((client) => follow(client) !== undefined);
  expect(followed).toEqual(['192.0.2.3']);
});

test('what an answer would stand for is worked out once, until something is revoked', () => {
  const { answer, offers, picks } = setUp();
  let workedOut = 0;
  const route: DialRoute = {
    ...routeWith(undefined),
    standing: () => {
      workedOut += 1;
      return undefined;
    },
  };
  for (let asked = 0; asked < 5; asked += 1) answer('192.0.2.1', route);
  expect(workedOut).toBe(1);
  offers.revoke();
  picks.acknowledge();
  for (let asked = 0; asked < 5; asked += 1) answer('192.0.2.1', route);
  expect(workedOut).toBe(2);
});

test('a 513th offer revokes those before it', () => {
  const { answer, follow, picks } = setUp();
  const client = (index: number): string => `10.1.${index >> 8}.${index & 255}`;
  for (let index = 0; index <= 512; index += 1)
    for (let asked = 0; asked < 2; asked += 1) answer(client(index), routeWith(ONE));
  expect(follow(client(511))).toBeUndefined();
  picks.acknowledge();
  for (let asked = 0; asked < 2; asked += 1) answer(client(512), routeWith(ONE));
  expect(follow(client(512))).toBeDefined();
});

test('after a revocation nothing is offered before the thread has acknowledged it', () => {
  const { answer, follow, offers, picks } = setUp();
  offers.revoke();
  for (let asked = 0; asked < 3; asked += 1) answer('192.0.2.1', routeWith(ONE));
  expect(follow('192.0.2.1')).toBeUndefined();
  picks.acknowledge();
  answer('192.0.2.1', routeWith(ONE));
  expect(follow('192.0.2.1')).toBeDefined();
});

test('an answer on its way when it is revoked teaches the thread nothing', () => {
  const { answer, arrive, follow, offers, picks, table } = setUp();
  answer('192.0.2.1', routeWith(ONE));
  arrive('192.0.2.1');
  const id = offers.offer(0, { address: '192.0.2.1', port: 1 }, routeWith(ONE));
  table.set(0, FIELD.standing, id);
  offers.revoke();
  picks.acknowledge();
  // Its place is another client's by now.
  const other = standingRoute([{ address: '10.244.9.9', port: 9 }]);
  const taken = [1, 2].map(() =>
    offers.offer(0, { address: '192.0.2.2', port: 1 }, routeWith(other)),
  );
  expect(taken).toEqual([0, expect.any(Number)]);
  expect(taken[1]).not.toBe(0);
  picks.learn(0);
  expect(follow('192.0.2.1')).toBeUndefined();
});

test('what was followed is known until the thread has told of it and it was heard', () => {
  const { answer, follow, offers, picks, table } = setUp();
  for (let asked = 0; asked < 2; asked += 1) answer('192.0.2.1', routeWith(ONE));
  follow('192.0.2.1');
  const id = table.get(0, FIELD.standing);
  offers.revoke();
  offers.heard(offers.toldEpoch);
  expect(offers.find(id)).toBe(ONE);
  picks.acknowledge();
  const told = offers.toldEpoch;
  expect(offers.find(id)).toBe(ONE);
  offers.heard(told);
  expect(offers.find(id)).toBeUndefined();
});

test('the thread never follows what was revoked, whatever came before', () => {
  const client = fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1');
  const step = fc.oneof(
    fc.record({ kind: fc.constant('answer' as const), client }),
    fc.record({ kind: fc.constant('follow' as const), client }),
    fc.record({ kind: fc.constant('revoke' as const), client }),
    fc.record({ kind: fc.constant('acknowledge' as const), client }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { answer, follow, offers, picks } = setUp();
      let violated = false;
      for (const [port, { kind, client: from }] of steps.entries()) {
        // The port says when it was offered.
        const standing = standingRoute([{ address: from, port: port + 1 }]);
        if (kind === 'answer') answer(from, routeWith(standing));
        else if (kind === 'revoke') offers.revoke();
        else if (kind === 'acknowledge') picks.acknowledge();
        else {
          const went = follow(from);
          const revoked = steps.slice(0, port).findLastIndex((one) => one.kind === 'revoke');
          if (went !== undefined)
            violated ||= went.target.address !== from || went.target.port - 1 <= revoked;
        }
      }
      expect(violated).toBe(false);
    }),
  );
});

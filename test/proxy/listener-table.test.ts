import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import type { Resource } from '../../src/base/lifetime.ts';
import type { ListenProblem, ListenPurpose, Spot } from '../../src/proxy/listen-problem.ts';
import { ListenerTable } from '../../src/proxy/listener-table.ts';

const WEB: Spot = { protocol: 'TCP', address: '192.0.2.1', port: 80 };

function purpose(service: string): ListenPurpose {
  return { kind: 'traffic', service, text: service };
}

/** A table whose sockets are names in a set; `refuse` makes opening fail with that code. */
function setUp() {
  const clock = new ManualClock();
  const open = new Set<string>();
  const log: string[] = [];
  const problems: ListenProblem[] = [];
  const world = { refuse: undefined as string | undefined };
  const table = new ListenerTable<string>({
    clock,
    open: async ({ address, port }): Promise<Resource> => {
      await Promise.resolve();
      if (world.refuse !== undefined)
        throw Object.assign(new Error('refused'), { code: world.refuse });
      const name = `${address}:${port}`;
      open.add(name);
      log.push(`open ${name}`);
      const close = async (): Promise<void> => {
        await Promise.resolve();
        open.delete(name);
        log.push(`close ${name}`);
      };
      return { close, [Symbol.asyncDispose]: close };
    },
    events: {
      problem: (problem) => problems.push(problem),
      solved: (spot) => log.push(`solved ${spot.address}:${spot.port}`),
    },
  });
  return { clock, open, log, problems, world, table };
}

describe('listener table', () => {
  test('opens a spot once for all who want it and closes it with the last', async () => {
    const { table, log } = setUp();
    table.claim(WEB, 'node a', purpose('default/web'));
    table.claim(WEB, 'node b', purpose('default/web'));
    await table.settled();
    table.release(WEB, 'node a');
    await table.settled();
    expect(log).toEqual(['open 192.0.2.1:80']);
    table.release(WEB, 'node b');
    await table.settled();
    expect(log).toEqual(['open 192.0.2.1:80', 'close 192.0.2.1:80']);
  });

  test('follows changes of mind while a socket is being opened or closed', async () => {
    const { table, open, log } = setUp();
    table.claim(WEB, 'a', purpose('web'));
    table.release(WEB, 'a');
    await table.settled();
    expect([...open]).toEqual([]);
    table.claim(WEB, 'a', purpose('web'));
    await table.settled();
    table.release(WEB, 'a');
    table.claim(WEB, 'b', purpose('web'));
    await table.settled();
    expect([...open]).toEqual(['192.0.2.1:80']);
    expect(log.at(-1)).toBe('open 192.0.2.1:80');
    await table.close();
  });

  test('reports a refused spot once, with every claimant and a remedy, and tries again', async () => {
    const { table, clock, world, problems, log } = setUp();
    world.refuse = 'EACCES';
    table.claim(WEB, 'a', purpose('default/web'));
    table.claim(WEB, 'b', purpose('default/other'));
    await table.settled();
    expect(problems).toMatchObject([
      { spot: WEB, code: 'EACCES', purposes: [purpose('default/web'), purpose('default/other')] },
    ]);
    expect(problems[0]?.message).toBe(
      'cannot listen on 192.0.2.1:80/TCP for default/web, default/other: EACCES: ports below 1024 ' +
        'are privileged: run as root, or allow them with "sysctl -w ' +
        'net.ipv4.ip_unprivileged_port_start=80", or choose a higher port',
    );
    clock.advance(1000);
    await table.settled();
    expect(problems).toHaveLength(1);
    world.refuse = undefined;
    clock.advance(2000);
    await table.settled();
    expect(log).toEqual(['open 192.0.2.1:80', 'solved 192.0.2.1:80']);
    await table.close();
    expect(clock.pending).toBe(0);
  });

  test('reports again when the reason changes', async () => {
    const { table, clock, world, problems } = setUp();
    world.refuse = 'EADDRINUSE';
    table.claim(WEB, 'a', purpose('web'));
    await table.settled();
    world.refuse = 'EMFILE';
    clock.advance(1000);
    await table.settled();
    expect(problems.map(({ code }) => code)).toEqual(['EADDRINUSE', 'EMFILE']);
    await table.close();
  });

  test('waits longer after each failure, 16 s at most', async () => {
    const { table, clock, world } = setUp();
    world.refuse = 'EADDRINUSE';
    table.claim(WEB, 'a', purpose('web'));
    const waits: number[] = [];
    for (let attempt = 0; attempt < 7; attempt += 1) {
      await table.settled();
      waits.push((clock.nextDueAt ?? 0) - clock.now());
      clock.runNext();
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 16_000, 16_000]);
    await table.close();
    expect(clock.pending).toBe(0);
  });

  test('a released spot with a problem is no problem any more', async () => {
    const { table, clock, world, log } = setUp();
    world.refuse = 'EADDRINUSE';
    table.claim(WEB, 'a', purpose('web'));
    await table.settled();
    table.releaseAll('a');
    await table.settled();
    expect(log).toEqual(['solved 192.0.2.1:80']);
    expect(clock.pending).toBe(0);
  });
});

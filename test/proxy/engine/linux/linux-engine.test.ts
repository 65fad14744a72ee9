import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import koffi from 'koffi';
import { expect, test } from 'vitest';
import { systemClock } from '../../../../src/base/clock.ts';
import { createEngine } from '../../../../src/proxy/engine/create-engine.ts';
import { AF_INET, SOCK_STREAM } from '../../../../src/proxy/engine/linux/abi.ts';
import { loadLinux } from '../../../../src/proxy/engine/linux/system-calls.ts';
import { dial, echoBack, ending, readAll, startServer } from '../../../support/tcp.ts';
import { until } from '../../../support/until.ts';
import { engineConformance } from '../../../conformance/engine.ts';
import { Recorder, toServer } from '../../../conformance/engine/harness.ts';

for (const choice of ['epoll', 'uring'] as const)
  engineConformance(choice, (options) => createEngine({ choice, ...options }));

type DupTo = (from: number, to: number) => number;

function descriptors(): string[] {
  return readdirSync('/proc/self/fd');
}

/** What the forwarding thread waits on: of epolls the one that watches the thread's bell, whose key is -1. */
const WAITS_ON = {
  epoll: { link: 'anon_inode:[eventpoll]', info: /data: +ffffffff\b/ },
  uring: { link: 'anon_inode:[io_uring]', info: /./ },
} as const;

function forwardersWait(choice: keyof typeof WAITS_ON): number {
  const { link, info } = WAITS_ON[choice];
  const found = descriptors().find((fd) => {
    try {
      const matches = readlinkSync(`/proc/self/fd/${fd}`) === link;
      return matches && info.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
    } catch {
      // Closed since it was listed.
      return false;
    }
  });
  return Number(found);
}

test.each(['epoll', 'uring'] as const)(
  'when the %s thread dies its connections end, and its listeners go on without it',
  async (choice) => {
    const before = descriptors();
    {
      await using server = await startServer(echoBack);
      const complaints: string[] = [];
      await using engine = createEngine({
        choice,
        clock: systemClock,
        onFallback: (reason) => complaints.push(reason),
      });
      const recorder = new Recorder();
      const route = { address: '127.0.0.1', port: 0, route: () => toServer(server, recorder) };
      const listener = await engine.listen(route);
      const victim = await dial(listener.local);
      await until(() => recorder.events.includes('established'));
      const end = ending(victim);
      // With a socket in its place the thread's next wait fails.
      const decoy = loadLinux().calls.socket(AF_INET, SOCK_STREAM, 0);
      const dup2 = koffi.load(null).func('int dup2(int from, int to)') as DupTo;
      dup2(decoy, forwardersWait(choice));
      loadLinux().calls.close(decoy);
      victim.write('wake up');

      expect(await end).toBe('ECONNRESET');
      await until(() => complaints.length > 0);
      expect(complaints[0]).toContain('the forwarding thread has died');
      expect(recorder.events).toEqual(['established', 'closed']);
      expect(engine.counters.active).toBe(0);

      const survivor = await dial(listener.local);
      survivor.end('still served');
      expect((await readAll(survivor)).toString()).toBe('still served');
      await listener.close();
      await expect(dial(listener.local)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
    await until(() => descriptors().length <= before.length);
    expect(descriptors().length).toBeLessThanOrEqual(before.length);
  },
);

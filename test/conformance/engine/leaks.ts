// Violence, and what it leaves behind.
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { dial, ending, startServer } from '../../support/tcp.ts';
import { until } from '../../support/until.ts';
import { type CreateEngine, start, toServer } from './harness.ts';
import { violence } from './violence.ts';

export function leaks(create: CreateEngine): void {
  test('streams cut at random corrupt nobody and leave no descriptor', async () => {
    const before = openDescriptors();
    {
      await using engine = create({ clock: systemClock });
      const report = await violence({
        engine,
        connections: 60,
        seed: 'cut',
        goOn: (dialogues) => dialogues < 300,
      });
      expect(report).toMatchObject({ lost: 0, truncated: 0, corrupt: 0 });
      expect(report.whole).toBeGreaterThan(100);
      expect(report.cut).toBeGreaterThan(0);
      await until(() => engine.counters.active === 0);
    }
    await until(() => openDescriptors() <= before);
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });

  test('resets that meet a shutdown under way leave no descriptor', async () => {
    const before = openDescriptors();
    {
      await using server = await startServer((socket) => {
        socket.on('data', () => socket.resetAndDestroy());
      });
      await using forwarder = await start(create, () => toServer(server));
      const { engine, listener } = forwarder;
      for (let round = 0; round < 50; round += 1) {
        const client = await dial(listener.local);
        const end = ending(client);
        client.end('reset me');
        await end;
        client.destroy();
      }
      await until(() => engine.counters.active === 0);
    }
    await until(() => openDescriptors() <= before);
    expect(openDescriptors()).toBeLessThanOrEqual(before);
  });
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

// kill -9 in the middle of writes: what was acknowledged is there afterwards, and nothing is half written.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { debianProgram } from './debian-program.ts';
import { RunningApiServer } from './support/api-process.ts';
import { RunningEtcd } from './support/etcd.ts';
import { WriteBurst } from './support/write-burst.ts';

const ROUNDS = 6;
const etcd = debianProgram('etcd-server', 'usr/bin/etcd');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-kill-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', metadata: { generateName: 'round-' } };

/** A write after a restart is newer than everything before it. */
async function expectNewer(server: RunningApiServer, burst: WriteBurst): Promise<void> {
  const { code, body } = await server.api.ask('POST', '/api/v1/namespaces', NAMESPACE);
  expect(code).toBe(201);
  expect(Number(body.metadata?.resourceVersion)).toBeGreaterThan(burst.newestVersion);
}

/** The connection to etcd comes back by itself; until then writes end with 500, as they really do. */
async function untilWrites(server: RunningApiServer): Promise<void> {
  const answers: number[] = [];
  while (answers.at(-1) !== 201) {
    expect(answers.length).toBeLessThan(2_000);
    answers.push((await server.api.ask('POST', '/api/v1/namespaces', NAMESPACE)).code);
    await new Promise((settle) => setTimeout(settle, 50));
  }
}

/** Kills the server at seeded moments, over and over; `args` lead each new one to what the last one kept. */
async function killAgainAndAgain(args: readonly string[]): Promise<WriteBurst> {
  const random = seededRandom('kill -9');
  const burst = new WriteBurst(random.fork('burst'));
  for (let round = 0; round < ROUNDS; round += 1) {
    await using server = await RunningApiServer.start(folder, args);
    await burst.check(server);
    await expectNewer(server, burst);
    await burst.run(server, 50 + random.below(1500), () => server.kill());
  }
  await using server = await RunningApiServer.start(folder, args);
  await burst.check(server);
  return burst;
}

describe('kill -9 of the control plane', () => {
  test('with --data-dir', { timeout: 300_000 }, async () => {
    const burst = await killAgainAndAgain(['--data-dir', join(folder, 'data')]);
    expect(burst.acknowledged).toBeGreaterThan(ROUNDS * 50);
  });

  test.skipIf(etcd === undefined)(
    'with --etcd (skipped where Debian has no etcd-server)',
    { timeout: 300_000 },
    async () => {
      await using store = await RunningEtcd.start(etcd ?? '');
      const burst = await killAgainAndAgain(['--etcd', store.endpoint]);
      expect(burst.acknowledged).toBeGreaterThan(ROUNDS * 50);
    },
  );
});

test.skipIf(etcd === undefined)(
  'kill -9 of etcd: the control plane goes on where it was once etcd is back',
  { timeout: 300_000 },
  async () => {
    await using store = await RunningEtcd.start(etcd ?? '');
    await using server = await RunningApiServer.start(folder, ['--etcd', store.endpoint]);
    const random = seededRandom('kill -9 etcd');
    const burst = new WriteBurst(random.fork('burst'));
    for (let round = 0; round < 3; round += 1) {
      let restarted: Promise<void> = Promise.resolve();
      await burst.run(server, 50 + random.below(500), () => {
        restarted = store.killAndRestart();
      });
      await restarted;
      await untilWrites(server);
      await expectNewer(server, burst);
      await burst.check(server);
    }
    // Somebody who reads etcd afresh sees the same.
    await using other = await RunningApiServer.start(folder, ['--etcd', store.endpoint]);
    await burst.check(other);
  },
);

import { describe, expect, test } from 'vitest';
import { isApiError } from '../../../src/api/status-errors.ts';
import type { ConfigMap } from '../../../src/api/types/core.ts';
import { ManualClock } from '../../../src/base/clock.ts';
import { parseCidr } from '../../../src/base/ip.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { ResourceClient } from '../../../src/controlplane/client/client.ts';
import { Informer } from '../../../src/controlplane/client/informer.ts';
import type { ControlPlane } from '../../../src/controlplane/control-plane.ts';
import { MemoryStore } from '../../../src/controlplane/store/memory-store.ts';
import { settle, startTestPlane } from '../support.ts';

/** So small that every burst of changes is too much for a watch. */
const TINY = 8;

async function startPlane(watchBacklog = TINY, historyEvents = TINY) {
  const serviceCidr = parseCidr('127.96.0.0/16');
  if (serviceCidr === undefined) throw new Error('bad CIDR');
  const { plane } = await startTestPlane({
    config: { serviceCidr, watchBacklog },
    store: new MemoryStore({ historyEvents }),
  });
  return plane;
}

/** Seeded creates, updates and deletes, so many at once. */
async function churn(plane: ControlPlane, seed: string, changes: number, atOnce: number) {
  const random = seededRandom(seed);
  const configMaps = plane.client.resource('configmaps');
  const change = async (number: number): Promise<void> => {
    const name = `c${random.below(200)}`;
    const object: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'default' },
      data: { number: String(number) },
    };
    try {
      if (random.below(4) === 0) await configMaps.delete(name, 'default');
      else if (random.below(2) === 0) await configMaps.create(object);
      else await configMaps.update(object);
    } catch (error) {
      if (!isApiError(error, 'NotFound') && !isApiError(error, 'AlreadyExists')) throw error;
    }
  };
  for (let done = 0; done < changes; done += atOnce)
    await Promise.all(Array.from({ length: atOnce }, (_, index) => change(done + index)));
}

/** A copy made of nothing but what handlers are told; complains when they are told what cannot be. */
class Mirror {
  readonly versions = new Map<string, string>();
  readonly complaints: string[] = [];
  readonly informer: Informer<ConfigMap>;
  lists = 0;
  #connection = new AbortController();

  constructor(clock: ManualClock, current: () => ResourceClient<ConfigMap>) {
    const client: Pick<ResourceClient<ConfigMap>, 'list' | 'watch'> = {
      list: (options) => {
        this.lists += 1;
        return current().list(options);
      },
      watch: (options) => {
        const signal = AbortSignal.any([options.signal, this.#connection.signal]);
        return current().watch({ ...options, signal });
      },
    };
    this.informer = new Informer('test', {
      client: client as ResourceClient<ConfigMap>,
      clock,
      logger: silentLogger,
    });
    this.informer.subscribe((object, previous) => {
      const { name = '' } = (object ?? previous)?.metadata ?? {};
      const known = this.versions.get(name);
      const told = object === undefined ? undefined : previous?.metadata.resourceVersion;
      if (object !== undefined && known !== told) this.complaints.push(`${name}: ${known} ${told}`);
      if (object === undefined) this.versions.delete(name);
      else this.versions.set(name, object.metadata.resourceVersion ?? '');
    });
  }

  /** What a client of a server sees whose process ends. */
  disconnect(): void {
    const before = this.#connection;
    this.#connection = new AbortController();
    before.abort();
  }
}

async function present(plane: ControlPlane): Promise<Map<string, string>> {
  const { items } = await plane.client.resource('configmaps').list();
  return new Map(
    items.map(({ metadata }) => [metadata.name ?? '', metadata.resourceVersion ?? '']),
  );
}

function sorted(versions: ReadonlyMap<string, string>): [string, string][] {
  return [...versions].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

describe('an informer stays in step', () => {
  test.each([
    ['one at a time: every change is told', { atOnce: 1, backlog: 8192, lists: [1, 1] }],
    ['in bursts that no watch survives', { atOnce: 100, backlog: TINY, lists: [10, 200] }],
  ])('through 10,000 changes, %s', async (_, { atOnce, backlog, lists: [least = 0, most = 0] }) => {
    await using plane = await startPlane(backlog, backlog);
    const clock = new ManualClock();
    const mirror = new Mirror(clock, () => plane.client.resource('configmaps'));
    await using informer = mirror.informer;
    await informer.synced;
    await churn(plane, 'informer', 10_000, atOnce);
    await settle(clock);
    expect(sorted(mirror.versions)).toEqual(sorted(await present(plane)));
    expect(mirror.complaints).toEqual([]);
    expect(informer.list().length).toBe(mirror.versions.size);
    expect(mirror.lists).toBeGreaterThanOrEqual(least);
    expect(mirror.lists).toBeLessThanOrEqual(most);
  });

  test('when the server restarts with an empty store, and its versions begin anew', async () => {
    const clock = new ManualClock();
    let plane = await startPlane();
    const mirror = new Mirror(clock, () => plane.client.resource('configmaps'));
    await using informer = mirror.informer;
    await informer.synced;
    await churn(plane, 'before', 500, 10);
    await plane.close();
    plane = await startPlane();
    await using second = plane;
    mirror.disconnect();
    await churn(second, 'after', 100, 10);
    await settle(clock);
    expect(mirror.lists).toBeGreaterThan(1);
    expect(sorted(mirror.versions)).toEqual(sorted(await present(second)));
    expect(mirror.complaints).toEqual([]);
  });
});

// The informer of the JavaScript client, through everything that makes it list again.
import {
  CoreV1Api,
  type Informer,
  KubeConfig,
  makeInformer,
  type V1ConfigMap,
} from '@kubernetes/client-node';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ConfigMap } from '../../src/api/types/core.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { ApiClient } from './support/api-client.ts';
import { RunningApiServer } from './support/api-process.ts';
import { Churn } from './support/churn.ts';
import { TcpGate } from './support/tcp-gate.ts';

/** More than the server remembers: a watch cannot go on where it was. */
const MORE_THAN_HISTORY = 9_000;
const PATH = '/api/v1/namespaces/default/configmaps';
/** An informer whose connection breaks ends with an error: its user starts it again, as its README shows. */
const RESTART_MS = 50;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-informer-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What the informer's user has made of its calls: each object's version by name. */
class Follower implements AsyncDisposable {
  readonly objects = new Map<string, string>();
  lists = 0;
  #informer: Informer<V1ConfigMap>;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number) {
    const config = new KubeConfig();
    config.loadFromOptions({
      clusters: [{ name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: true }],
      users: [{ name: 'u' }],
      contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
      currentContext: 'x',
    });
    const api = config.makeApiClient(CoreV1Api);
    this.#informer = makeInformer(config, PATH, () => {
      this.lists += 1;
      return api.listNamespacedConfigMap({ namespace: 'default' });
    });
    for (const verb of ['add', 'update'] as const)
      this.#informer.on(verb, ({ metadata }) => {
        this.objects.set(metadata?.name ?? '', metadata?.resourceVersion ?? '');
      });
    this.#informer.on('delete', ({ metadata }) => void this.objects.delete(metadata?.name ?? ''));
    this.#informer.on('error', () => {
      this.#timer = setTimeout(() => void this.#informer.start(), RESTART_MS);
    });
  }

  start(): Promise<void> {
    return this.#informer.start();
  }

  /** Waits until it knows exactly what the server has, where nothing changes meanwhile; what it does not know. */
  async differencesFrom(api: ApiClient): Promise<string[]> {
    const present = new Map<string, string>();
    for (const { metadata } of await api.list<ConfigMap>(PATH))
      present.set(metadata.name ?? '', metadata.resourceVersion ?? '');
    const differences = () =>
      [...new Set([...present.keys(), ...this.objects.keys()])].filter(
        (name) => present.get(name) !== this.objects.get(name),
      );
    for (let attempt = 0; attempt < 2_400 && differences().length > 0; attempt += 1)
      await new Promise((settle) => setTimeout(settle, 50));
    return differences();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#informer.stop();
  }
}

test('in step through 10,000 changes, a forced 410 and a restart', {
  timeout: 400_000,
}, async () => {
  const args = ['--data-dir', join(folder, 'data')];
  const churn = new Churn(seededRandom('client-node'));
  let lists: number;
  const first = await RunningApiServer.start(folder, args);
  await using gate = await TcpGate.open(first.port);
  await using follower = new Follower(gate.port);
  {
    await using server = first;
    await follower.start();
    await churn.run(server.api, 10_000);
    expect(await follower.differencesFrom(server.api)).toEqual([]);
    expect(follower.lists).toBe(1);
    expect(follower.objects.size).toBeGreaterThan(100);

    gate.cut();
    await churn.run(server.api, MORE_THAN_HISTORY);
    gate.lead(server.port);
    expect(await follower.differencesFrom(server.api)).toEqual([]);
    expect(follower.lists).toBe(2);
    ({ lists } = follower);
    server.kill();
  }
  await using server = await RunningApiServer.start(folder, args);
  gate.lead(server.port);
  await churn.run(server.api, 1_000);
  expect(await follower.differencesFrom(server.api)).toEqual([]);
  expect(follower.lists).toBeLessThanOrEqual(lists + 1);
});

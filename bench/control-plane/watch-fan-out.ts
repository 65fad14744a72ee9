import { Agent, get, type IncomingMessage } from 'node:http';
import type { ApiClient } from '../../test/e2e/support/api-client.ts';
import { created } from './services.ts';

const PATH = '/api/v1/namespaces/default/configmaps';

export interface FanOut {
  /** From sending an object to its arrival at the last of the watchers. */
  readonly lastMs: readonly number[];
  /** Events delivered a second, while objects are written as fast as they are acknowledged. */
  readonly eventsPerSecond: number;
}

/** Watchers over HTTP, all of the same resource, all read by this process. */
export async function fanOut(
  api: ApiClient,
  watchers: number,
  objects: number,
  burst: number,
): Promise<FanOut> {
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  const count = { arrived: 0, wake: (): void => {} };
  const streams = await Promise.all(
    Array.from({ length: watchers }, () =>
      follow(api.url, agent, (events) => {
        count.arrived += events;
        count.wake();
      }),
    ),
  );
  const untilArrived = async (goal: number): Promise<void> => {
    while (count.arrived < goal)
      await new Promise<void>((resolve) => {
        count.wake = resolve;
      });
  };
  try {
    const lastMs: number[] = [];
    for (let index = 0; index < objects; index += 1) {
      const sentAt = performance.now();
      await created(api, PATH, configMap(`one-${index}`));
      await untilArrived((index + 1) * watchers);
      lastMs.push(performance.now() - sentAt);
    }
    const startedAt = performance.now();
    await Promise.all(
      Array.from({ length: burst }, (_, index) => created(api, PATH, configMap(`burst-${index}`))),
    );
    await untilArrived((objects + burst) * watchers);
    const tookMs = performance.now() - startedAt;
    return { lastMs, eventsPerSecond: (burst * watchers * 1000) / tookMs };
  } finally {
    for (const stream of streams) stream.destroy();
    agent.destroy();
  }
}

function configMap(name: string): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { key: 'value' } };
}

/** Resolves once the watch is open; from then on tells how many events each chunk ends. */
function follow(
  url: string,
  agent: Agent,
  onEvents: (events: number) => void,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = get(`${url}${PATH}?watch=true&labelSelector=!kubernetes.io/none`, { agent });
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      response.on('error', () => {});
      response.on('data', (chunk: Buffer) => onEvents(linesIn(chunk)));
      resolve(response);
    });
  });
}

function linesIn(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
  return lines;
}

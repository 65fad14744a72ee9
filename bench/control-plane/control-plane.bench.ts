// npm run bench:control-plane: objects a second through the API, how soon proxy and DNS follow an EndpointSlice,
// watch fan-out, and what an object takes. Servers are processes of their own, clients are in this one.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiCluster } from '../../test/e2e/support/api-cluster.ts';
import { RunningApiServer } from '../../test/e2e/support/api-process.ts';
import { formatMs } from './percentile.ts';
import { applyAll, ENDPOINTS_EACH, manyServices, SERVICES } from './services.ts';
import { storedSize } from './stored-size.ts';
import { timesToEffect } from './time-to-effect.ts';
import { fanOut } from './watch-fan-out.ts';

const MOVES = 300;
const WATCHERS = 100;
const WATCHED_OBJECTS = 200;
const BURST = 500;
const AT_ONCE = [1, 16] as const;

const print = (line: string): void => console.log(line);
const objects = manyServices();

print(`${SERVICES} Services with ${ENDPOINTS_EACH} endpoints each, ${objects.length} objects`);
const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
try {
  for (const atOnce of AT_ONCE) {
    await applyRate('in memory', [], atOnce);
    await applyRate('--data-dir', ['--data-dir', join(folder, `data-${atOnce}`)], atOnce);
  }
  await effect();
  await watching();
  await size();
} finally {
  rmSync(folder, { recursive: true });
}

async function applyRate(name: string, args: readonly string[], atOnce: number): Promise<void> {
  await using server = await RunningApiServer.start(folder, args);
  const cpuBefore = server.cpuMs();
  const perSecond = await applyAll(server.api, objects, atOnce);
  const cpuEach = (server.cpuMs() - cpuBefore) / objects.length;
  print(
    `created, ${name}, ${atOnce} at once: ${perSecond.toFixed(0)} objects/s, ${cpuEach.toFixed(2)} ms of the server's processor time each`,
  );
}

async function effect(): Promise<void> {
  await using cluster = await ApiCluster.start('', '--nodes', '3');
  const perSecond = await applyAll(cluster.api, objects, 16);
  print(`created in a cluster of 3 nodes, 16 at once: ${perSecond.toFixed(0)} objects/s`);
  const { proxyMs, dnsMs } = await timesToEffect(cluster, MOVES);
  print(`EndpointSlice sent to proxy in effect: ${formatMs(proxyMs)} (${MOVES} moves)`);
  print(`EndpointSlice sent to DNS in effect:   ${formatMs(dnsMs)} (${MOVES} moves)`);
}

async function watching(): Promise<void> {
  await using server = await RunningApiServer.start(folder, []);
  const { lastMs, eventsPerSecond } = await fanOut(server.api, WATCHERS, WATCHED_OBJECTS, BURST);
  print(`object sent to the last of ${WATCHERS} watchers: ${formatMs(lastMs)}`);
  print(`events to ${WATCHERS} watchers: ${eventsPerSecond.toFixed(0)}/s`);
}

async function size(): Promise<void> {
  const { heapBytesEach, diskBytesEach } = await storedSize();
  const heap = heapBytesEach === undefined ? 'unknown (--expose-gc)' : heapBytesEach.toFixed(0);
  print(`an object takes: ${heap} bytes of heap, ${diskBytesEach.toFixed(0)} bytes of disk`);
}

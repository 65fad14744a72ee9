// A big cluster: memory of an object, speed of answers, and how soon a changed EndpointSlice is answered.
import { createSocket, type Socket } from 'node:dgram';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { seededRandom } from '../../src/base/random.ts';
import { RecordType } from '../../src/dns/message/codes.ts';
import { encodeMessage } from '../../src/dns/message/encode-message.ts';
import { queryFor } from '../../src/dns/message/message.ts';
import { DnsServer } from '../../src/dns/server/dns-server.ts';
import { MemoryDnsSource } from '../../src/dns/source/memory-source.ts';

/** Answers should not care. */
const SIZES = [100, 10_000];
const ENDPOINTS = 5;
const CHANGES = 2000;
const COREFILE = '.:53 {\n kubernetes cluster.local in-addr.arpa\n loadbalance\n}\n';

export async function printScale(print: (line: string) => void): Promise<void> {
  for (const services of SIZES) await printSize(print, services);
}

async function printSize(print: (line: string) => void, services: number): Promise<void> {
  print(`\n${services} headless Services with ${ENDPOINTS} endpoints each`);
  const source = new MemoryDnsSource();
  fill(source, services);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const startedAt = systemClock.now();
  const server = await DnsServer.start({
    clock: systemClock,
    random: seededRandom('scale'),
    log: silentLogger,
    metrics: createMetrics(),
    source,
    localAddresses: [],
    corefile: { file: 'Corefile', text: COREFILE },
    listen: [{ address: '127.0.0.1', port: 0 }],
  });
  const readMs = systemClock.now() - startedAt;
  globalThis.gc?.();
  const bytes = process.memoryUsage().heapUsed - before;
  const objects = 2 * services;
  print(
    `  read in ${readMs.toFixed(0)} ms; ${(bytes / 2 ** 20).toFixed(1)} MiB, ${(bytes / objects).toFixed(0)} bytes for each object`,
  );
  await printChanges(print, server, source, services);
  await server.close();
}

async function printChanges(
  print: (line: string) => void,
  server: DnsServer,
  source: MemoryDnsSource,
  services: number,
): Promise<void> {
  const socket = createSocket('udp4');
  const port = server.addresses[0]?.port ?? 0;
  await new Promise<void>((resolve) => {
    socket.connect(port, '127.0.0.1', resolve);
  });
  const random = seededRandom('changes');
  const changed: number[] = [];
  const plain: number[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const index = random.below(services);
    await exchange(socket, index);
    const atPlain = systemClock.now();
    await exchange(socket, index);
    plain.push(systemClock.now() - atPlain);
    const last = 1 + (change % 250);
    const at = systemClock.now();
    source.set('endpointslices', sliceOf(index, [`10.9.9.${last}`]));
    // The reply to the first query after the change must have it.
    const reply = await exchange(socket, index);
    if (reply.at(-1) !== last || reply.at(-2) !== 9)
      throw new Error('an old answer after the change');
    changed.push(systemClock.now() - at);
  }
  socket.close();
  const line = (values: number[]): string => {
    const sorted = values.toSorted((a, b) => a - b);
    const at = (share: number): string =>
      (sorted[Math.floor(share * sorted.length)] ?? 0).toFixed(2);
    return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
  };
  print(`  query and reply, nothing changed:         ${line(plain)}`);
  print(`  from a changed slice to its new answer:   ${line(changed)}`);
}

function exchange(socket: Socket, index: number): Promise<Buffer> {
  const name = `svc-${index}.default.svc.cluster.local.`;
  const query = queryFor({ name, type: RecordType.A }, { id: index });
  return new Promise((resolve) => {
    socket.once('message', resolve);
    socket.send(encodeMessage(query, { maxBytes: 512, compress: false }).bytes);
  });
}

function fill(source: MemoryDnsSource, services: number): void {
  source.set('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  for (let index = 0; index < services; index += 1) {
    source.set('services', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `svc-${index}`, namespace: 'default' },
      spec: { clusterIP: 'None', ports: [{ name: 'http', port: 80 }] },
    });
    const addresses = Array.from({ length: ENDPOINTS }, (_, endpoint) => {
      const number = index * ENDPOINTS + endpoint;
      return `10.${128 + (number >>> 16)}.${(number >>> 8) & 255}.${number & 255}`;
    });
    source.set('endpointslices', sliceOf(index, addresses));
  }
}

function sliceOf(index: number, addresses: readonly string[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `svc-${index}-a`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': `svc-${index}` },
    },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ports: [{ name: 'http', port: 80 }],
  };
}

import { Resolver } from 'node:dns/promises';
import { connect, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import type { Service } from '../../src/api/types/core.ts';
import type { ApiCluster } from '../../test/e2e/support/api-cluster.ts';
import { created, service, SERVICE_PATH, slice, SLICE_PATH } from './services.ts';

const PORT = 18_080;
/** Two servers that say who they are; outside every range of the cluster, so that nothing else moves them. */
const ADDRESSES = ['127.77.255.1', '127.77.255.2'] as const;

export interface TimesToEffect {
  /** From sending the slice to the first connection through the ClusterIP that reaches its endpoint. */
  readonly proxyMs: readonly number[];
  /** From sending the slice to the first answer that has it. */
  readonly dnsMs: readonly number[];
}

/** Moves an endpoint to and fro, and asks proxy and DNS without pause until they follow. */
export async function timesToEffect(cluster: ApiCluster, rounds: number): Promise<TimesToEffect> {
  const servers = await Promise.all(ADDRESSES.map(serve));
  try {
    const spec = { ports: [{ port: 80, targetPort: PORT }] };
    await created(cluster.api, SERVICE_PATH, service('moving', spec));
    await created(cluster.api, SERVICE_PATH, service('headless', { ...spec, clusterIP: 'None' }));
    for (const name of ['moving', 'headless'])
      await created(cluster.api, SLICE_PATH, slice(name, [ADDRESSES[0]], PORT));
    const { spec: made }: Service = await cluster.service('moving');
    const viaProxy = () => firstByte(made.clusterIP ?? '');
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${cluster.dnsPort}`]);
    const viaDns = async () =>
      (await resolver.resolve4('headless.default.svc.cluster.local').catch(() => []))[0] ?? '';
    return {
      proxyMs: await moves(cluster, 'moving', viaProxy, rounds),
      dnsMs: await moves(cluster, 'headless', viaDns, rounds),
    };
  } finally {
    for (const server of servers) server.close();
  }
}

async function moves(
  cluster: ApiCluster,
  name: string,
  ask: () => Promise<string>,
  rounds: number,
): Promise<number[]> {
  while ((await ask()) !== ADDRESSES[0]);
  const samples: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const address = ADDRESSES[round % 2] ?? ADDRESSES[0];
    const sentAt = performance.now();
    const written = cluster.api.ask('PUT', `${SLICE_PATH}/${name}-1`, slice(name, [address], PORT));
    while ((await ask()) !== address);
    samples.push(performance.now() - sentAt);
    const { code, body } = await written;
    if (code !== 200) throw new Error(`PUT ${name}-1: ${code} ${body.message}`);
  }
  return samples;
}

async function serve(address: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(address);
  }).listen(PORT, address);
  await once(server, 'listening');
  return server;
}

/** What a server says at once; empty where the connection is refused. */
function firstByte(clusterIP: string): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(80, clusterIP);
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    socket.once('error', () => resolve(''));
    socket.once('close', () => resolve(said));
  });
}

// One podwire node of an overlay as a process of its own, to be run in a network namespace. argv[2]: JSON, see Settings.
// Serves on loopback: 7000 is pod 10.244.1.5's HTTP server, 7001 forwards through the overlay to a pod of another node,
// 7002 answers with the node's counters. Writes "ready" once all of that is there.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { systemClock } from '../../../src/base/clock.ts';
import { createLogger } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { Capture, outerTap } from '../../../src/overlay/capture.ts';
import { OverlayNode } from '../../../src/overlay/overlay-node.ts';
import { splice } from '../../../src/overlay/splice.ts';
import { cidr } from '../../ipam/addresses.ts';
import { lease, netConf } from '../../overlay/leases.ts';

interface Settings {
  readonly acceptPartialChecksums: boolean;
  /** Of the forward on 7001. */
  readonly forwardTo: { readonly address: string; readonly port: number };
  readonly captureFile?: string;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as Settings;
const POD = '10.244.1.5';
const PORTS = { http: 7000, forward: 7001, counters: 7002 } as const;
/** Ports of the pod whose servers are elsewhere. */
const SERVER_PORTS: Readonly<Record<number, number>> = { 80: PORTS.http };
const BLOCK = Buffer.alloc(64 * 1024, 'All work and no play makes a dull data plane. ');

const own = lease(1).ipv4;
if (own === undefined) throw new Error('node-1 has an IPv4 lease');
const node = await OverlayNode.open({
  name: 'node-1',
  publicIp: own.publicIp,
  subnet: cidr('10.244.1.0/24'),
  conf: netConf({ Backend: { Type: 'vxlan' } }),
  underlayNetworks: [cidr('172.18.0.0/16')],
  underlayMtu: 1500,
  vtepMac: own.vtep?.mac,
  acceptPartialChecksums: settings.acceptPartialChecksums,
  dialPod: ({ port }) =>
    connect({ host: '127.0.0.1', port: SERVER_PORTS[port] ?? port, allowHalfOpen: true }),
  dialPodDatagrams: () => ({ send: () => undefined, close: () => undefined }),
  clock: systemClock,
  random: seededRandom('overlay-peer'),
  log: createLogger({ level: 'warn', format: 'json' }),
});
node.addPod(POD);
node.setLeases([lease(1), lease(2)]);
const sink =
  settings.captureFile === undefined ? undefined : createWriteStream(settings.captureFile);
if (sink !== undefined) {
  const capture = new Capture({ sink, clock: systemClock, name: 'node-1 eth0' });
  node.vtep?.addTap(outerTap(capture, own.publicIp));
}

/** GET /bytes/N: N bytes. POST: the SHA-256 of what was sent. Everything else: who asked. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === 'POST') {
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => response.end(hash.digest('hex')));
    return;
  }
  const size = Number(/^\/bytes\/(\d+)$/.exec(request.url ?? '')?.[1] ?? -1);
  if (size < 0) {
    response.end(`pod ${POD}\n`);
    return;
  }
  response.setHeader('content-length', size);
  let sentBytes = 0;
  const more = (): void => {
    while (sentBytes < size) {
      const chunk = BLOCK.subarray(0, Math.min(BLOCK.length, size - sentBytes));
      sentBytes += chunk.length;
      if (!response.write(chunk)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}

createServer(answer).listen(PORTS.http, '127.0.0.1');
createTcpServer({ allowHalfOpen: true }, (socket) => {
  const target = { sourceAddress: POD, ...settings.forwardTo };
  splice(socket, node.connect(target), () => undefined);
}).listen(PORTS.forward, '127.0.0.1');
createServer((_request, response) => {
  const { drops, peers, ...counters } = node.counters();
  response.end(
    JSON.stringify({
      ...counters,
      drops: Object.fromEntries(drops),
      peers: Object.fromEntries(peers),
      receiveBufferBytes: node.vtep?.receiveBufferBytes,
    }),
  );
}).listen(PORTS.counters, '127.0.0.1', () => process.stdout.write('ready\n'));
process.on('SIGTERM', () => {
  void node.close().finally(() => {
    if (sink === undefined) process.exit(0);
    else sink.end(() => process.exit(0));
  });
});

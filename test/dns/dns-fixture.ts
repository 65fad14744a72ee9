import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import type { Service } from '../../src/api/types/core.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { seededRandom } from '../../src/base/random.ts';
import { typeCode } from '../../src/dns/message/codes.ts';
import { decodeMessage } from '../../src/dns/message/decode-message.ts';
import { encodeMessage, MAX_MESSAGE_BYTES } from '../../src/dns/message/encode-message.ts';
import { queryFor, type DnsMessage } from '../../src/dns/message/message.ts';
import { TcpFraming, withLength } from '../../src/dns/server/tcp-framing.ts';
import { DnsServer, type DnsServerOptions } from '../../src/dns/server/dns-server.ts';
import type { MemoryDnsSource } from '../../src/dns/source/memory-source.ts';

export interface ServiceParts extends Partial<Omit<Service, 'spec'>> {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly spec: Service['spec'];
}

export function serviceOf({ name, namespace, labels, ...rest }: ServiceParts): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: namespace ?? 'default',
      ...(labels === undefined ? {} : { labels }),
    },
    ...rest,
  };
}

export interface SliceParts extends Pick<EndpointSlice, 'endpoints' | 'ports'> {
  readonly name: string;
  readonly service: string;
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
}

export function sliceOf(parts: SliceParts): EndpointSlice {
  const { name, service, namespace, labels, endpoints, ports } = parts;
  const first = endpoints?.[0]?.addresses[0] ?? '';
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: namespace ?? 'default',
      labels: { 'kubernetes.io/service-name': service, ...labels },
    },
    addressType: first.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: endpoints ?? [],
    ports: ports ?? [],
  };
}

export function addNamespaces(source: MemoryDnsSource, ...names: string[]): void {
  for (const name of names)
    source.set('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

/** A server on a free loopback port, with everything a test may want to change. */
export function startTestServer(
  corefile: string,
  parts: Partial<DnsServerOptions> = {},
): Promise<DnsServer> {
  return DnsServer.start({
    clock: systemClock,
    random: seededRandom('dns test'),
    log: silentLogger,
    metrics: createMetrics(),
    localAddresses: ['127.0.0.1'],
    corefile: { file: 'Corefile', text: corefile },
    listen: [{ address: '127.0.0.1', port: 0 }],
    ...parts,
  });
}

export function queryBytes(name: string, type = 'A', parts: Partial<DnsMessage> = {}): Buffer {
  const question = { name, type: typeCode(type) ?? 0 };
  return encodeMessage(queryFor(question, { id: 4711, ...parts }), {
    maxBytes: MAX_MESSAGE_BYTES,
    compress: false,
  }).bytes;
}

/** Sends packets over UDP and waits for one reply. */
export function exchange(
  port: number,
  packets: Uint8Array | readonly Uint8Array[],
  address = '127.0.0.1',
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.once('message', (reply) => {
      socket.close(() => resolve(reply));
    });
    for (const packet of packets instanceof Uint8Array ? [packets] : packets)
      socket.send(packet, port, address);
  });
}

/** Sends all packets over one connection, in pieces of `cutBytes`, and waits for as many replies. */
export function exchangeOverTcp(
  port: number,
  packets: readonly Uint8Array[],
  cutBytes = 65_536,
): Promise<Buffer[]> {
  const stream = Buffer.concat(packets.map(withLength));
  const framing = new TcpFraming();
  const replies: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.once('error', reject);
    socket.once('close', () => resolve(replies));
    socket.on('data', (chunk: Buffer) => {
      framing.push(chunk);
      for (let reply = framing.next(); reply !== undefined; reply = framing.next())
        replies.push(reply);
      if (replies.length >= packets.length) socket.destroy();
    });
    for (let at = 0; at < stream.length; at += cutBytes)
      socket.write(stream.subarray(at, at + cutBytes));
  });
}

export async function ask(
  server: DnsServer,
  name: string,
  type = 'A',
  parts: Partial<DnsMessage> = {},
): Promise<DnsMessage> {
  const port = server.addresses[0]?.port ?? 0;
  return decodeMessage(await exchange(port, queryBytes(name, type, parts)));
}

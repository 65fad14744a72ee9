// Two nodes in one process with real sockets: what the proxy conformance suite stands on.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { Service } from '../../../src/api/types/core.ts';
import type { EndpointSlice } from '../../../src/api/types/discovery.ts';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { type Cidr, parseCidr } from '../../../src/base/ip.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { directDialer } from '../../../src/proxy/dialer.ts';
import { createEngine, type EngineChoice } from '../../../src/proxy/engine/create-engine.ts';
import type { Engine } from '../../../src/proxy/engine/engine.ts';
import type { SocketAddress } from '../../../src/proxy/flow.ts';
import { Ingress } from '../../../src/proxy/ingress.ts';
import type { ListenProblem, Spot } from '../../../src/proxy/listen-problem.ts';
import { PROXY_MODES } from '../../../src/proxy/modes/mode-table.ts';
import type { ListenerEvents } from '../../../src/proxy/listener-table.ts';
import { nodeContext } from '../../../src/proxy/node-context.ts';
import { Proxier } from '../../../src/proxy/proxier.ts';
import type { ProxyModeName } from '../../../src/proxy/proxy-mode.ts';
import { type ServiceShape, service, slice } from '../../services/objects.ts';
import { dial, readBytes } from '../../support/tcp.ts';

/** Addresses that nothing else in the tests uses. */
export const NODE_A = '127.18.200.2';
export const NODE_B = '127.18.200.3';
export const POD_OF_A = '127.244.200.9';
export const POD_OF_B = '127.244.201.9';
/** Belongs to no node: enters at node a. */
export const STRANGER = '127.18.253.1';
export const CLUSTER_IP = '127.96.200.10';
/** All endpoints of the suite. */
export const BACKEND_PORT = 18_080;

interface NodePlan {
  readonly name: string;
  readonly nodeIPs: readonly string[];
  readonly podCIDRs: readonly string[];
}

const NODES: readonly NodePlan[] = [
  { name: 'a', nodeIPs: [NODE_A], podCIDRs: ['127.244.200.0/24'] },
  { name: 'b', nodeIPs: [NODE_B], podCIDRs: ['127.244.201.0/24'] },
];

/** Two endpoints on ::1, the only IPv6 address that is local everywhere: their ports tell them apart. */
export const IPV6_ENDPOINTS = [
  { address: '::1', port: 18_081 },
  { address: '::1', port: 18_082 },
] as const;

interface ClusterOptions {
  readonly nodes?: readonly NodePlan[];
  /** Addresses of TCP backends: they greet with their address and their client's, then echo. */
  readonly pods?: readonly string[];
  /** Addresses of UDP backends: they answer each datagram so. */
  readonly udpPods?: readonly string[];
  /** The ingress's: paces retries. */
  readonly clock?: Clock;
}

export interface ClusterSetting {
  readonly mode: ProxyModeName;
  readonly engine: EngineChoice;
  /** Forwarding threads, 1 unless said otherwise. */
  readonly threads?: number;
}

/** A cluster whose nodes know of no Service yet. */
export async function startCluster(
  setting: ClusterSetting,
  options: ClusterOptions = {},
): Promise<ProxyCluster> {
  const { clock = systemClock, nodes = NODES, pods = [], udpPods = [] } = options;
  const cluster = new ProxyCluster(setting, nodes, clock);
  for (const address of pods) await cluster.startPod({ address, port: BACKEND_PORT }, address);
  for (const address of udpPods)
    await cluster.startUdpPod({ address, port: BACKEND_PORT }, address);
  return cluster;
}

class ProxyCluster implements AsyncDisposable {
  /** What the TCP pods have accepted, in order. */
  readonly sockets: Socket[] = [];
  readonly #pods: (() => Promise<void>)[] = [];
  readonly problems: ListenProblem[] = [];
  readonly solved: Spot[] = [];
  readonly engine: Engine;
  readonly ingress: Ingress;
  readonly proxiers: readonly Proxier[];

  constructor(setting: ClusterSetting, nodes: readonly NodePlan[], clock: Clock) {
    const { mode, engine: choice, threads = 1 } = setting;
    this.engine = createEngine({ choice, threads, clock: systemClock });
    const events: ListenerEvents = {
      problem: (problem) => this.problems.push(problem),
      solved: (spot) => this.solved.push(spot),
    };
    this.ingress = new Ingress({ engine: this.engine, clock, events });
    this.proxiers = nodes.map(({ name, nodeIPs, podCIDRs }) => {
      const context = nodeContext({
        nodeIPs,
        loopback: [cidr('127.0.0.1/32')],
        detectLocal: { mode: 'ClusterCIDR', cidrs: [cidr('127.244.0.0/16')] },
      });
      const random = seededRandom(name);
      return new Proxier({
        nodeName: name,
        zone: '',
        mode: PROXY_MODES[mode]({ context, clock, random }),
        context,
        podCIDRs: podCIDRs.map(cidr),
        ingress: this.ingress,
        dialer: directDialer,
        clock: systemClock,
      });
    });
    for (const proxier of this.proxiers) {
      proxier.listed('services');
      proxier.listed('slices');
    }
  }

  /** Applies objects to every node and waits until the listeners are in step. */
  async apply(...objects: (Service | EndpointSlice)[]): Promise<void> {
    for (const proxier of this.proxiers)
      for (const object of objects)
        if ('addressType' in object) proxier.setSlice(object);
        else proxier.setService(object);
    await this.#synced();
  }

  async remove(...objects: Service[]): Promise<void> {
    for (const proxier of this.proxiers)
      for (const { metadata } of objects) proxier.deleteService(metadata);
    await this.#synced();
  }

  /** Greets as `name`. */
  async startPod({ address, port }: SocketAddress, name: string): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket);
      socket.on('error', () => {});
      socket.write([name, socket.remoteAddress].join(' ').padEnd(GREETING_LENGTH));
      socket.pipe(socket);
    });
    server.listen(port, address);
    await once(server, 'listening');
    this.#pods.push(
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
        }),
    );
  }

  async startUdpPod({ address, port }: SocketAddress, name: string): Promise<void> {
    const socket = createSocket(udpType(address));
    socket.on('message', (_message, sender) => {
      socket.send(`${name} ${sender.address}`, sender.port, sender.address);
    });
    socket.bind(port, address);
    await once(socket, 'listening');
    this.#pods.push(
      () =>
        new Promise((resolve) => {
          socket.close(() => resolve());
        }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.#pods.map((close) => close()));
    await Promise.all(this.proxiers.map((proxier) => proxier.close()));
    await this.ingress.close();
    await this.engine[Symbol.asyncDispose]();
  }

  async #synced(): Promise<void> {
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    await Promise.all(this.proxiers.map((proxier) => proxier.settled()));
  }
}

function udpType(address: string): 'udp4' | 'udp6' {
  return address.includes(':') ? 'udp6' : 'udp4';
}

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`no CIDR: ${text}`);
  return parsed;
}

/** `default/web` at {@link CLUSTER_IP}:80xx. Unprivileged ports, so that the suite runs anywhere. */
export function web(shape: ServiceShape = {}): Service {
  return service({ clusterIP: CLUSTER_IP, port: 8080, ...shape });
}

type Endpoints = Parameters<typeof slice>[0];

export function webSlice(endpoints: Endpoints, protocol: 'TCP' | 'UDP' = 'TCP'): EndpointSlice {
  return slice(endpoints, { ports: [{ name: '', port: BACKEND_PORT, protocol }] });
}

export const VIP: SocketAddress = { address: CLUSTER_IP, port: 8080 };

const GREETING_LENGTH = 48;

export interface Greeted {
  readonly socket: Socket;
  readonly backend: string;
  /** Who the backend thinks the client is. */
  readonly client: string;
}

/** Connects and waits for the backend's greeting. */
export async function greet(to: SocketAddress, from: string = STRANGER): Promise<Greeted> {
  const socket = await dial(to, from);
  const [backend, client] = (await readBytes(socket, GREETING_LENGTH)).toString().trim().split(' ');
  return { socket, backend: backend ?? '', client: client ?? '' };
}

/** One connection, closed again. */
export async function visit(
  to: SocketAddress,
  from?: string,
): Promise<{ backend: string; client: string }> {
  const { socket, backend, client } = await greet(to, from);
  socket.destroy();
  return { backend, client };
}

/** How long a client waits before it calls it silence: not long where that is expected, else a guard only. */
export function patienceMs(expected: string): number {
  return expected === 'silence' ? 200 : 30_000;
}

/** `expected` is the backend that answers, or how the connection ends, or 'silence'. */
export async function expectMet(
  to: SocketAddress,
  expected: string,
  from: string = STRANGER,
): Promise<void> {
  expect((await encounter(to, from, patienceMs(expected))).split(' ')[0]).toBe(expected);
}

/** `BACKEND CLIENT` as the backend that answers says it, else how the connection ended, else 'silence'. */
export function encounter(to: SocketAddress, from: string, giveUpAfterMs: number): Promise<string> {
  return new Promise((resolve) => {
    const { address: host, port } = to;
    const socket = connect({ host, port, localAddress: from, allowHalfOpen: true });
    const timer = setTimeout(() => finish('silence'), giveUpAfterMs);
    const finish = (outcome: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    socket.once('data', (chunk: Buffer) => finish(chunk.toString().trim()));
    socket.once('end', () => finish('fin'));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  });
}

/** The backends that `count` connections met, sorted and without repeats. */
export async function backendsMet(
  count: number,
  to: SocketAddress,
  from?: string,
): Promise<string[]> {
  const met = new Set<string>();
  for (let connection = 0; connection < count; connection += 1)
    met.add((await visit(to, from)).backend);
  return [...met].toSorted();
}

export class UdpClient implements AsyncDisposable {
  readonly #socket: UdpSocket;

  private constructor(socket: UdpSocket) {
    this.#socket = socket;
  }

  static async bind(address: string): Promise<UdpClient> {
    const socket = createSocket(udpType(address));
    socket.bind(0, address);
    await once(socket, 'listening');
    return new UdpClient(socket);
  }

  /** The answer, `backend client`; 'nothing' after `timeoutMs`. */
  async ask(to: SocketAddress, timeoutMs = 2000): Promise<string> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const answer = once(this.#socket, 'message', { signal: timeout });
    this.#socket.send('?', to.port, to.address);
    try {
      const [message] = (await answer) as [Buffer];
      return message.toString();
    } catch {
      return 'nothing';
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.close(() => resolve());
    });
  }
}

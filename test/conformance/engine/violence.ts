// Violence against an engine: echo dialogues whose every byte is compared, cut at random by either side, among slow
// readers and servers that come and go.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Random, seededRandom } from '../../../src/base/random.ts';
import { resetStream } from '../../../src/base/reset-stream.ts';
import type {
  Engine,
  EngineConnection,
  Route,
  StandingRoute,
} from '../../../src/proxy/engine/engine.ts';
import type { SocketAddress } from '../../../src/proxy/flow.ts';
import { turns } from '../../support/tcp.ts';

const ADDRESS = '127.0.0.1';
/** What a dialogue says starts somewhere in it, so that bytes of another one are told apart. */
const PATTERN_BYTES = 8 << 20;
const MOST_BYTES = 600_000;
const ID_BYTES = 4;
/** A dialogue that has not said who it is yet. */
const UNNAMED = 0;
const ENDPOINTS = 4;
const NOBODYS_PORT = 1;
/** Every other dialogue comes from one of these addresses, whose answers stand; the others have one of their own. */
const REGULARS = 16;
/** Event-loop turns that a slow reader takes over each chunk. */
const SLOW_TURNS = 40;

export interface ViolenceOptions {
  readonly engine: Engine;
  /** Dialogues at one time; after as many, one endpoint goes and another comes. */
  readonly connections: number;
  readonly seed: string;
  /** Asked before each dialogue, with how many there have been. */
  goOn(dialogues: number): boolean;
}

/** How many dialogues ended in each way. */
export interface ViolenceReport {
  /** Everything came back. */
  whole: number;
  /** Cut by us, or its endpoint went; what had come back was right. */
  cut: number;
  /** Reset although nobody had cut it. Must be none. */
  lost: number;
  /** FIN before the end, although nobody had cut it. Must be none. */
  truncated: number;
  /** A byte was not what was sent. Must be none. */
  corrupt: number;
}

/** Ends with every socket of its own closed; the engine is the caller's and goes on. */
export async function violence(options: ViolenceOptions): Promise<ViolenceReport> {
  await using scene = await Scene.open(options);
  await scene.play();
  return scene.report;
}

class Scene implements AsyncDisposable {
  readonly report: ViolenceReport = { whole: 0, cut: 0, lost: 0, truncated: 0, corrupt: 0 };
  readonly #options: ViolenceOptions;
  readonly #random: Random;
  readonly #pattern: Buffer;
  readonly #endpoints: Endpoint[] = [];
  /** Of endpoints that no longer listen, but still speak. */
  readonly #retired = new Set<Promise<void>>();
  readonly #cutIds = new Set<number>();
  /** Who serves each dialogue, by its client's address and port. */
  readonly #servedBy = new Map<string, Service>();
  /** Endpoints that went. */
  #retirements = 0;
  #port = 0;
  #dialogues = 0;

  static async open(options: ViolenceOptions): Promise<Scene> {
    const scene = new Scene(options);
    while (scene.#endpoints.length < ENDPOINTS)
      scene.#endpoints.push(await Endpoint.open(scene.#cutIds));
    const { local } = await options.engine.listen({
      address: ADDRESS,
      port: 0,
      route: (connection) => scene.#route(connection),
    });
    scene.#port = local.port;
    return scene;
  }

  private constructor(options: ViolenceOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#pattern = Buffer.alloc(PATTERN_BYTES);
    for (let at = 0; at < PATTERN_BYTES; at += 4)
      this.#pattern.writeUInt32LE(this.#random.uint32(), at);
  }

  async play(): Promise<void> {
    const one = async (random: Random): Promise<void> => {
      while (this.#options.goOn(this.#dialogues)) {
        this.#dialogues += 1;
        if (this.#dialogues % this.#options.connections === 0) await this.#changeEndpoint(random);
        const id = this.#dialogues;
        this.report[await this.#dialogue(id, random)] += 1;
        this.#cutIds.delete(id);
      }
    };
    const { connections } = this.#options;
    const ones = Array.from({ length: connections }, (_, n) => one(this.#random.fork(String(n))));
    await Promise.all(ones);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.retire('now')));
    await Promise.all(this.#retired);
  }

  /** One in sixteen is sent to a port where nobody is, and asks again. */
  #route(connection: EngineConnection): Route {
    const endpoint = this.#endpoints[this.#random.below(this.#endpoints.length)];
    if (endpoint === undefined) return { kind: 'reset' };
    const { source } = connection;
    this.#note(connection, endpoint);
    const { port } = endpoint;
    if (isRegular(source.address))
      return { kind: 'dial', address: ADDRESS, port, standing: () => this.#standing() };
    const first = this.#random.below(16) === 0 ? NOBODYS_PORT : port;
    return { kind: 'dial', address: ADDRESS, port: first, retry: () => this.#route(connection) };
  }

  /** Any endpoint of now, until one goes. */
  #standing(): StandingRoute {
    const endpoints = [...this.#endpoints];
    return {
      choices: endpoints.map(({ port }) => ({ address: ADDRESS, port })),
      seed: this.#random.uint32(),
      taken: (connection, choice) => {
        const endpoint = endpoints[choice];
        if (endpoint !== undefined) this.#note(connection, endpoint);
        return undefined;
      },
    };
  }

  /**
   * Keeps who serves a connection. The kernel may give a reset client's port to the next one before we hear of the reset:
   * then it is not known who served which.
   */
  #note(connection: EngineConnection, endpoint: Endpoint): void {
    const key = keyOf(connection.source);
    const before = this.#servedBy.get(key)?.connection;
    const isAlone = before === undefined || before === connection;
    this.#servedBy.set(key, { connection, endpoint: isAlone ? endpoint : undefined });
  }

  async #changeEndpoint(random: Random): Promise<void> {
    const fresh = await Endpoint.open(this.#cutIds);
    const old = this.#endpoints.splice(random.below(this.#endpoints.length), 1, fresh)[0];
    this.#options.engine.revokeStanding();
    this.#retirements += 1;
    const gone = old?.retire(random.below(2) === 0 ? 'now' : 'drained') ?? Promise.resolve();
    this.#retired.add(gone);
    void gone.then(() => this.#retired.delete(gone));
  }

  #dialogue(id: number, random: Random): Promise<keyof ViolenceReport> {
    const length = ID_BYTES + random.below(random.below(4) === 0 ? MOST_BYTES : 4_000);
    const start = random.below(PATTERN_BYTES - length);
    const payload = this.#pattern.subarray(start, start + length - ID_BYTES);
    const cutAt = random.below(4) === 0 ? random.below(length) : Infinity;
    const slow = random.below(8) === 0;
    const localAddress =
      id % 2 === 0 ? addressOf(random.below(REGULARS)) : addressOf(REGULARS + id);
    const { engine } = this.#options;
    const retirements = this.#retirements;
    let servedBy: (() => Endpoint | undefined) | undefined;
    const client = connect({ port: this.#port, host: ADDRESS, localAddress, allowHalfOpen: true });
    client.once('connect', () => {
      const key = keyOf({ address: localAddress, port: client.localPort ?? 0 });
      servedBy = () => {
        engine.catchUp();
        const endpoint = this.#servedBy.get(key)?.endpoint;
        this.#servedBy.delete(key);
        return endpoint;
      };
    });
    let received = 0;
    let corrupt = false;
    let broken = false;
    client.on('error', () => {
      broken = true;
    });
    client.on('data', (chunk: Buffer) => {
      corrupt ||= !chunk.equals(payload.subarray(received, received + chunk.length));
      received += chunk.length;
      if (received >= cutAt) this.#cut(id, client, random);
      if (slow) void pauseFor(client, SLOW_TURNS);
    });
    const head = Buffer.alloc(ID_BYTES);
    head.writeUInt32LE(id);
    client.write(head);
    client.end(payload);
    return new Promise((resolve) => {
      client.once('close', () => {
        const whole = received === payload.length && !broken;
        // Not known, too, of one that was reset before we heard that it was connected.
        const retired = servedBy?.()?.retired ?? this.#retirements > retirements;
        if (corrupt) resolve('corrupt');
        else if (whole) resolve('whole');
        else if (this.#cutIds.has(id) || (broken && retired)) resolve('cut');
        else resolve(broken ? 'lost' : 'truncated');
      });
    });
  }

  /** Ends this client, or any server's socket, with RST or in whatever way close(2) takes. */
  #cut(id: number, client: Socket, random: Random): void {
    if (random.below(2) === 0) {
      this.#cutIds.add(id);
      end(client, random);
    } else this.#endpoints[random.below(this.#endpoints.length)]?.cutOne(random);
  }
}

/** Who serves a connection. */
interface Service {
  readonly connection: EngineConnection;
  readonly endpoint: Endpoint | undefined;
}

/** An echo server whose dialogues say who they are. */
class Endpoint {
  readonly port: number;
  /** It has stopped listening, and with that reset whom it had not accepted yet. */
  retired = false;
  readonly #server: Server;
  readonly #cutIds: Set<number>;
  readonly #sockets: Map<Socket, number>;

  static async open(cutIds: Set<number>): Promise<Endpoint> {
    const sockets = new Map<Socket, number>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.set(socket, UNNAMED);
      socket.on('error', () => {});
      socket.once('close', () => sockets.delete(socket));
      echo(socket, (id) => sockets.set(socket, id));
    });
    server.listen({ port: 0, host: ADDRESS, backlog: 4096 });
    await once(server, 'listening');
    return new Endpoint(server, sockets, cutIds);
  }

  private constructor(server: Server, sockets: Map<Socket, number>, cutIds: Set<number>) {
    const bound = server.address();
    this.port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    this.#server = server;
    this.#sockets = sockets;
    this.#cutIds = cutIds;
  }

  cutOne(random: Random): void {
    const [socket, id] = [...this.#sockets][random.below(Math.max(this.#sockets.size, 1))] ?? [];
    if (socket === undefined || id === undefined || id === UNNAMED) return;
    this.#cutIds.add(id);
    end(socket, random);
  }

  /** Stops listening; `now` cuts the dialogues it still has. Resolves when the last one has ended. */
  async retire(how: 'now' | 'drained'): Promise<void> {
    const closed = once(this.#server, 'close');
    this.retired = true;
    this.#server.close();
    if (how === 'now')
      for (const [socket, id] of this.#sockets) {
        this.#cutIds.add(id);
        resetStream(socket);
      }
    await closed;
  }
}

/** In 127.1.0.0 and up. */
function addressOf(client: number): string {
  return `127.${1 + ((client >> 16) & 127)}.${(client >> 8) & 255}.${client & 255}`;
}

function isRegular(address: string): boolean {
  const [, high = 0, middle = 0, low = 0] = address.split('.').map(Number);
  return high === 1 && middle === 0 && low < REGULARS;
}

function keyOf({ address, port }: SocketAddress): string {
  return `${address}:${port}`;
}

function echo(socket: Socket, named: (id: number) => void): void {
  let head = Buffer.alloc(0);
  const read = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    if (head.length < ID_BYTES) return;
    socket.off('data', read);
    named(head.readUInt32LE(0));
    socket.pause();
    socket.unshift(head.subarray(ID_BYTES));
    socket.pipe(socket);
  };
  socket.on('data', read);
}

function end(socket: Socket, random: Random): void {
  if (random.below(2) === 0) resetStream(socket);
  else socket.destroy();
}

async function pauseFor(socket: Socket, count: number): Promise<void> {
  socket.pause();
  await turns(count);
  socket.resume();
}

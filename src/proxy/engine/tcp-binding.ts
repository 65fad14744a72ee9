/**
 * The TCP handles under node:net, reached through `process.binding` (deprecated, not removed: Node 20 to 24).
 * A net.Socket costs 60–130 µs a connection and 2 µs a write more than its handle; this is the only file that
 * knows how to get at it. Shapes: Node's src/tcp_wrap.cc, src/stream_base.cc, lib/net.js.
 */
export interface TcpBinding {
  readonly createServer: () => ServerHandle;
  readonly createSocket: () => TcpHandle;
  readonly createConnect: () => ConnectRequest;
  readonly createWrite: () => WriteRequest;
  readonly createShutdown: () => ShutdownRequest;
  /** Results of the latest call, at the indices below. */
  readonly streamState: Int32Array;
  readonly readResultAt: number;
  readonly lastWriteWasAsyncAt: number;
}

interface Handle {
  /** `this` is the handle in the callback. */
  close(closed?: () => void): void;
}

/** Methods return 0 or a negated errno. */
export interface ServerHandle extends Handle {
  onconnection: (status: number, handle: TcpHandle) => void;
  bind(address: string, port: number): number;
  bind6(address: string, port: number, flags: number): number;
  listen(backlog: number): number;
  /** Takes a socket that exists. */
  open(fd: number): number;
  getsockname(into: { port?: number }): number;
  setNoDelay(on: boolean): number;
}

export interface TcpHandle extends Handle {
  onread: () => Uint8Array | undefined;
  bind(address: string, port: number): number;
  bind6(address: string, port: number, flags: number): number;
  connect(request: ConnectRequest, address: string, port: number): number;
  connect6(request: ConnectRequest, address: string, port: number): number;
  getpeername(into: PeerName): number;
  setNoDelay(on: boolean): number;
  /** Memory that reads go to; the caller keeps it alive. `onread` may return another one. */
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** Tries the system call at once; `request` completes later only if that did not take everything. */
  writeBuffer(request: WriteRequest, chunk: Uint8Array): number;
  /** 1: done already. */
  shutdown(request: ShutdownRequest): number;
  /**
   * Closes with RST. Never while a shutdown is under way: libuv refuses, Node takes the handle for closing all the
   * same, so that `close` does nothing any more, and the process cannot end.
   */
  reset(closed?: () => void): number;
}

export interface PeerName {
  address?: string;
  port?: number;
}

interface Request {
  oncomplete: (status: number) => void;
}
export type ConnectRequest = Request;
export type WriteRequest = Request;
export type ShutdownRequest = Request;

interface TcpWrap {
  readonly TCP: new (type: number) => unknown;
  readonly TCPConnectWrap: new () => ConnectRequest;
  readonly constants: { readonly SOCKET: number; readonly SERVER: number };
}

interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => ShutdownRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

const METHODS = [
  'bind',
  'open',
  'connect',
  'getpeername',
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeBuffer',
  'shutdown',
  'reset',
  'close',
];

/** Undefined where this Node does not have it, or has it in another shape. */
export function loadTcpBinding(): TcpBinding | undefined {
  const load = (process as unknown as { binding?: (name: string) => unknown }).binding;
  if (typeof load !== 'function') return undefined;
  try {
    const tcp = load.call(process, 'tcp_wrap') as TcpWrap;
    const stream = load.call(process, 'stream_wrap') as StreamWrap;
    return isAsExpected(tcp, stream) ? bindingOf(tcp, stream) : undefined;
  } catch {
    return undefined;
  }
}

function isAsExpected(tcp: TcpWrap, stream: StreamWrap): boolean {
  const prototype = tcp.TCP.prototype as Record<string, unknown>;
  return (
    METHODS.every((method) => typeof prototype[method] === 'function') &&
    typeof tcp.TCPConnectWrap === 'function' &&
    typeof stream.WriteWrap === 'function' &&
    typeof stream.ShutdownWrap === 'function' &&
    stream.streamBaseState instanceof Int32Array &&
    Number.isInteger(stream.kReadBytesOrError) &&
    Number.isInteger(stream.kLastWriteWasAsync)
  );
}

function bindingOf(tcp: TcpWrap, stream: StreamWrap): TcpBinding {
  const { SERVER, SOCKET } = tcp.constants;
  return {
    createServer: () => new tcp.TCP(SERVER) as ServerHandle,
    createSocket: () => new tcp.TCP(SOCKET) as TcpHandle,
    createConnect: () => new tcp.TCPConnectWrap(),
    createWrite: () => new stream.WriteWrap(),
    createShutdown: () => new stream.ShutdownWrap(),
    streamState: stream.streamBaseState,
    readResultAt: stream.kReadBytesOrError,
    lastWriteWasAsyncAt: stream.kLastWriteWasAsync,
  };
}

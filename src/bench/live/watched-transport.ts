import type { SocketAddress } from '../../proxy/flow.ts';
import type { LocalSource } from '../../proxy/engine/source-ports.ts';
import type { EndHandler, StreamEnd, Transport } from '../../proxy/engine/stream-end.ts';
import { podIndex } from '../scenario/network-plan.ts';
import { RequestWatch, type WatchOptions } from './request-watch.ts';

/** `inner`, with a watch over the requests of every connection that is dialled. */
export function watchedTransport(inner: Transport, options: WatchOptions): Transport {
  return {
    name: inner.name,
    listen: (address, port, events) => inner.listen(address, port, events),
    adopt: (fd, local, events) => inner.adopt(fd, local, events),
    dial(remote: SocketAddress, source: LocalSource | undefined, handler: EndHandler): StreamEnd {
      const watch = new RequestWatch(options, podIndex(remote.address));
      const end = new WatchedEnd(handler, watch);
      end.inner = inner.dial(remote, source, end);
      return end;
    },
  };
}

/** Stands between a connection and its end towards the backend, and hears both directions. */
class WatchedEnd implements StreamEnd, EndHandler {
  /** Set right after dialling, which calls nobody back. */
  inner: StreamEnd | undefined;
  #handler: EndHandler;
  readonly #watch: RequestWatch;

  constructor(handler: EndHandler, watch: RequestWatch) {
    this.#handler = handler;
    this.#watch = watch;
  }

  attach(handler: EndHandler): void {
    this.#handler = handler;
  }

  start(): void {
    this.inner?.start();
  }

  write(chunk: Uint8Array): boolean {
    this.#watch.fromClient(chunk);
    return this.inner?.write(chunk) === true;
  }

  resume(): void {
    this.inner?.resume();
  }

  finish(): void {
    this.inner?.finish();
  }

  reset(): void {
    this.inner?.reset();
  }

  close(): void {
    this.inner?.close();
  }

  release(): void {
    this.inner?.release();
  }

  connected(): void {
    this.#handler.connected(this);
  }

  received(_: StreamEnd, chunk: Uint8Array): boolean {
    this.#watch.fromServer(chunk);
    return this.#handler.received(this, chunk);
  }

  drained(): void {
    this.#handler.drained(this);
  }

  finished(): void {
    this.#handler.finished(this);
  }

  closed(_: StreamEnd, error: Error | undefined): void {
    this.#watch.end();
    this.#handler.closed(this, error);
  }
}

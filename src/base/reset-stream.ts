import type { Duplex } from 'node:stream';

interface Resettable extends Duplex {
  resetAndDestroy(): unknown;
}

/**
 * Closes a stream so that its peer sees a reset, where it can: a net.Socket, or a stream of the overlay's stack.
 * Anything else, and a socket that is not connected yet, is destroyed. Idempotent; 'close' follows.
 *
 * Node (20 to 24) loses a socket that is reset while its shutdown(2) is under way: the kernel handle refuses, the
 * socket never closes, and the process spins when it ends, waiting for the handle. Such a one is reset a moment later.
 */
export function resetStream(stream: Duplex): void {
  if (stream.destroyed) return;
  if (!isResettable(stream) || isConnecting(stream)) stream.destroy();
  else if (isShuttingDown(stream)) stream.once('finish', () => stream.resetAndDestroy());
  else stream.resetAndDestroy();
}

function isShuttingDown(stream: Duplex): boolean {
  return stream.writableEnded && stream.writableLength === 0 && !stream.writableFinished;
}

/** There is nobody to reset, and Node would wait until there is. */
function isConnecting(stream: Duplex): boolean {
  return 'connecting' in stream && stream.connecting === true;
}

function isResettable(stream: Duplex): stream is Resettable {
  return 'resetAndDestroy' in stream && typeof stream.resetAndDestroy === 'function';
}

import { seqDiff } from '../seq.ts';
import type { TcpConnection } from './tcp-connection.ts';

/** What the next segment would offer; never less than what was offered (RFC 9293 §3.8.6). */
export function windowToOffer(connection: TcpConnection): number {
  const { config, receiveBuffer, rcvMssBytes } = connection;
  const offered = Math.max(0, seqDiff(connection.rcvEdge, connection.rcvNxt));
  const representable = 0xffff * 2 ** connection.rcvShift;
  const free = Math.min(config.receiveBufferBytes - receiveBuffer.readyBytes, representable);
  // Silly window avoidance, §3.8.6.2.2: no small steps.
  const step = Math.min(config.receiveBufferBytes / 2, rcvMssBytes);
  return free - offered >= step ? free : offered;
}

/**
 * Whether the room the application made is worth a segment of its own: two of the peer's segments where
 * there was hardly any, else a doubling.
 */
export function owesWindowUpdate(connection: TcpConnection): boolean {
  const { state, rcvMssBytes } = connection;
  if (state !== 'ESTABLISHED' && state !== 'FIN-WAIT-1' && state !== 'FIN-WAIT-2') return false;
  const bufferBytes = connection.config.receiveBufferBytes;
  // Before the first data the window of the SYN does.
  if (seqDiff(connection.rcvNxt, connection.irs) === 1) return false;
  const offered = seqDiff(connection.rcvEdge, connection.rcvNxt);
  const gain = windowToOffer(connection) - offered;
  if (offered < 2 * rcvMssBytes)
    return gain > 0 && gain >= Math.min(2 * rcvMssBytes, bufferBytes / 2);
  return gain >= offered && gain >= bufferBytes / 4;
}

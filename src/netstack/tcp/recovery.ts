// Fast recovery: RFC 6675 and 6582 with the pace of RFC 6937 (proportional rate reduction).
import { seqBefore } from '../seq.ts';
import { ageReorderingWindow } from './rack.ts';
import type { TcpConnection } from './tcp-connection.ts';

/** After an ACK: enters, paces or leaves recovery, and lets the window grow outside of it. */
export function updateRecovery(
  connection: TcpConnection,
  now: number,
  deliveredBytes: number,
  pipeBefore: number,
): void {
  const { sent } = connection;
  if (connection.recovery !== 'open' && !seqBefore(connection.sndUna, connection.recoveryPoint))
    leaveRecovery(connection);
  if (connection.recovery === 'open' && sent.hasUnsentLosses) enterRecovery(connection, now);
  if (connection.recovery === 'recovery') pace(connection, deliveredBytes);
  else growWindow(connection, now, deliveredBytes, pipeBefore);
}

/** The window shrinks once for all the losses of one round trip. */
export function enterRecovery(connection: TcpConnection, now: number): void {
  const { sent, congestion } = connection;
  connection.recovery = 'recovery';
  connection.recoveryPoint = connection.sndMax;
  connection.prrFlightBytes = sent.bytes;
  connection.prrDeliveredBytes = 0;
  connection.prrSentBytes = 0;
  connection.host.counters.fastRecoveries += 1;
  congestion.onLoss(now, Math.min(congestion.windowBytes, sent.bytes));
}

/** RFC 6298 (5.4)-(5.6) and RFC 5681 §3.1: everything unacknowledged is to be sent again. */
export function enterLoss(connection: TcpConnection, now: number): void {
  const { sent, congestion } = connection;
  const isFirst = connection.retries === 1;
  congestion.onTimeout(now, Math.min(congestion.windowBytes, sent.bytes), isFirst);
  sent.markAllLost();
  connection.duplicateAcks = 0;
  connection.sndNxt = connection.sndUna;
  connection.recovery = 'loss';
  connection.recoveryPoint = connection.sndMax;
  connection.tlpEnd = undefined;
}

function leaveRecovery(connection: TcpConnection): void {
  const { congestion } = connection;
  if (connection.recovery === 'recovery') {
    congestion.windowBytes = congestion.slowStartThresholdBytes;
    ageReorderingWindow(connection);
  }
  connection.recovery = 'open';
  connection.duplicateAcks = 0;
}

/** RFC 6937 §3.1: sends in proportion to what arrives, down to the threshold; never stops for half a round. */
function pace(connection: TcpConnection, deliveredBytes: number): void {
  const { congestion, mssBytes, pipeBytes } = connection;
  const threshold = congestion.slowStartThresholdBytes;
  connection.prrDeliveredBytes += deliveredBytes;
  const { prrDeliveredBytes, prrSentBytes, prrFlightBytes } = connection;
  let allowed: number;
  if (pipeBytes > threshold)
    allowed = Math.ceil((prrDeliveredBytes * threshold) / prrFlightBytes) - prrSentBytes;
  else {
    const limit = Math.max(prrDeliveredBytes - prrSentBytes, deliveredBytes) + mssBytes;
    allowed = Math.min(threshold - pipeBytes, limit);
  }
  // The first retransmission goes out at once.
  const atLeast = prrSentBytes === 0 ? mssBytes : 0;
  congestion.windowBytes = pipeBytes + Math.max(allowed, atLeast);
}

/** RFC 7661's concern in short: a window that was not used is not grown. */
function growWindow(
  connection: TcpConnection,
  now: number,
  deliveredBytes: number,
  pipeBefore: number,
): void {
  const { congestion } = connection;
  if (deliveredBytes === 0) return;
  const isSlowStart = congestion.windowBytes < congestion.slowStartThresholdBytes;
  const isUsed =
    connection.isWindowLimited || (isSlowStart && congestion.windowBytes < 2 * pipeBefore);
  if (isUsed) congestion.onAcked(deliveredBytes, now, connection.rtt.smoothedMs);
}

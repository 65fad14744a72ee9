// RFC 8985: RACK (losses by time) and TLP (a probe before the timeout).
import { seqBefore } from '../seq.ts';
import type { TcpConnection } from './tcp-connection.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** §7.2: what a receiver may delay the ACK of a lone segment. */
const MAX_ACK_DELAY_MS = 200;
/** §6.2 step 4: recoveries for which a widened reordering window lasts. */
const WINDOW_PERSISTS = 16;

/** §6.2 steps 1 to 5, after an ACK. */
export function detectByTime(connection: TcpConnection, now: number): void {
  const { delivery } = connection.sent;
  if (delivery.latestOrder >= 0) noteLatest(connection, now);
  if (delivery.reordered) connection.rackReorderSeen = true;
  if (connection.rackOrder >= 0) markOverdue(connection, now);
}

/** §6.2 step 5, also when the reordering timer fires. */
export function markOverdue(connection: TcpConnection, now: number): void {
  const { sent, rackOrder } = connection;
  const windowMs = connection.rackRttMs + reorderingWindow(connection);
  let nextAt = NEVER;
  for (let index = 0; index < sent.count; index += 1) {
    const record = sent.at(index);
    if (record.sacked || (record.lost && !record.resent)) continue;
    // §6.2 breaks ties of the clock by sequence number; the order of transmission is exact.
    if (record.sentOrder >= rackOrder) continue;
    if (record.sentAt + windowMs <= now) sent.markLost(record);
    else nextAt = Math.min(nextAt, record.sentAt + windowMs);
  }
  connection.reorderAt = nextAt;
}

/** §7.2: arms the probe after new data was sent or acknowledged. */
export function scheduleProbe(connection: TcpConnection, now: number): void {
  connection.tlpAt = NEVER;
  const { sent, rtt } = connection;
  const mayProbe =
    connection.config.lossDetection === 'rack' &&
    connection.hasSack &&
    connection.recovery === 'open' &&
    connection.tlpEnd === undefined &&
    sent.count > 0 &&
    sent.sackedBytes === 0 &&
    rtt.smoothedMs >= 0;
  if (!mayProbe) return;
  const delayMs = sent.count === 1 ? MAX_ACK_DELAY_MS : 0;
  const probeAt = now + Math.max(2 * rtt.smoothedMs, 2) + delayMs;
  if (probeAt < connection.rtoAt) connection.tlpAt = probeAt;
}

/** §7.4: an ACK at or beyond the probe. Returns true when the probe repaired a loss. */
export function endProbe(connection: TcpConnection, ack: number, isDsack: boolean): boolean {
  const { tlpEnd } = connection;
  if (tlpEnd === undefined || seqBefore(ack, tlpEnd)) return false;
  if (!connection.tlpIsRetransmission || isDsack) {
    connection.tlpEnd = undefined;
    return false;
  }
  // Beyond the probe without a report of a duplicate: the original was lost. At its end the report may
  // yet come.
  const isRepaired = seqBefore(tlpEnd, ack);
  if (isRepaired) connection.tlpEnd = undefined;
  return isRepaired;
}

/** §6.2 step 4: a reported duplicate means that the window was too small: wider, for a while. */
export function widenReorderingWindow(connection: TcpConnection): void {
  if (connection.rackDsackRound !== undefined) return;
  connection.rackDsackRound = connection.sndMax;
  connection.rackWindowMultiplier += 1;
  connection.rackWindowPersists = WINDOW_PERSISTS;
}

/** Once a recovery ended. */
export function ageReorderingWindow(connection: TcpConnection): void {
  connection.rackWindowPersists = Math.max(0, connection.rackWindowPersists - 1);
  if (connection.rackWindowPersists === 0) connection.rackWindowMultiplier = 1;
}

/** §6.2 steps 1 and 2. An ACK sooner than any round trip answers the original, not the copy. */
function noteLatest(connection: TcpConnection, now: number): void {
  const { delivery } = connection.sent;
  const rttMs = now - delivery.latestSentAt;
  if (delivery.latestAmbiguous && rttMs < connection.rtt.minMs) return;
  connection.rackRttMs = rttMs;
  connection.rackOrder = Math.max(connection.rackOrder, delivery.latestOrder);
  const { rackDsackRound } = connection;
  if (rackDsackRound !== undefined && !seqBefore(connection.sndUna, rackDsackRound))
    connection.rackDsackRound = undefined;
}

/** §6.2 step 4: none while three duplicates are in and no reordering was ever seen. */
function reorderingWindow(connection: TcpConnection): number {
  const { sent, mssBytes, rtt } = connection;
  if (!connection.rackReorderSeen) {
    if (connection.recovery !== 'open' || sent.sackedBytes >= 3 * mssBytes) return 0;
  }
  const minRttMs = Number.isFinite(rtt.minMs) ? rtt.minMs : 0;
  const windowMs = (connection.rackWindowMultiplier * minRttMs) / 4;
  return Math.min(windowMs, Math.max(rtt.smoothedMs, 0));
}

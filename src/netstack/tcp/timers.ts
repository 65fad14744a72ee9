import { markOverdue } from './rack.ts';
import { enterLoss, enterRecovery } from './recovery.ts';
import { sendProbe } from './send-pending.ts';
import { emitAck, emitReset } from './segment.ts';
import { AckUrgency, type CloseReason, type TcpConnection } from './tcp-connection.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** Runs every timer that is due. The connection is dispatched afterwards. */
export function runTimers(connection: TcpConnection, now: number): void {
  if (connection.ackAt <= now) {
    connection.ackAt = NEVER;
    if (connection.ackUrgency === AckUrgency.delayed) connection.ackUrgency = AckUrgency.now;
  }
  if (connection.lingerAt <= now) {
    connection.close('closed');
    return;
  }
  if (connection.reorderAt <= now) onReorder(connection, now);
  if (connection.tlpAt <= now) onProbe(connection, now);
  if (connection.rtoAt <= now) onRetransmit(connection, now);
  if (connection.persistAt <= now) onPersist(connection, now);
  if (connection.keepaliveAt <= now) onKeepalive(connection, now);
}

/** RFC 6298 §5. */
function onRetransmit(connection: TcpConnection, now: number): void {
  connection.rtoAt = NEVER;
  connection.tlpAt = NEVER;
  connection.reorderAt = NEVER;
  if (connection.sent.count === 0) return;
  connection.retries += 1;
  connection.host.counters.timeouts += 1;
  if (connection.retries > maxRetries(connection)) {
    giveUp(connection, now, 'timed-out');
    return;
  }
  connection.rtt.backOff();
  enterLoss(connection, now);
}

function maxRetries(connection: TcpConnection): number {
  const { config, state, isOrphan } = connection;
  if (state === 'SYN-SENT') return config.synRetries;
  if (state === 'SYN-RECEIVED') return config.synAckRetries;
  return isOrphan ? config.orphanRetries : config.dataRetries;
}

/** A peer that may still be there is told. */
function giveUp(connection: TcpConnection, now: number, reason: CloseReason): void {
  if (connection.state === 'SYN-SENT' || connection.state === 'SYN-RECEIVED')
    connection.host.counters.attemptFails += 1;
  else emitReset(connection, now);
  connection.close(reason);
}

/** RFC 8985 §6.3. */
function onReorder(connection: TcpConnection, now: number): void {
  connection.reorderAt = NEVER;
  markOverdue(connection, now);
  const first = connection.sent.nextLost(connection.sndUna);
  if (first === undefined) return;
  connection.sndNxt = first.start;
  if (connection.recovery !== 'open') return;
  enterRecovery(connection, now);
  // No ACK paces this first retransmission.
  connection.congestion.windowBytes = connection.pipeBytes + connection.mssBytes;
}

/** RFC 8985 §7.3. */
function onProbe(connection: TcpConnection, now: number): void {
  connection.tlpAt = NEVER;
  if (connection.sent.count === 0) return;
  connection.host.counters.lossProbes += 1;
  const sent = sendProbe(connection, now);
  connection.tlpEnd = connection.sndMax;
  connection.tlpIsRetransmission = sent === 'again';
  connection.rtoAt = now + connection.rtt.rtoMs;
}

/** RFC 9293 §3.8.6.1. Like Linux the probe is empty and one byte old: it asks for an ACK, no more. */
function onPersist(connection: TcpConnection, now: number): void {
  connection.persistAt = NEVER;
  const limit = connection.isOrphan
    ? connection.config.orphanRetries
    : connection.config.dataRetries;
  if (connection.unansweredProbes >= limit) {
    giveUp(connection, now, 'timed-out');
    return;
  }
  connection.unansweredProbes += 1;
  connection.persistBackoff = Math.min(connection.persistBackoff + 1, 16);
  connection.host.counters.zeroWindowProbes += 1;
  emitAck(connection, now, (connection.sndUna - 1) >>> 0);
}

/** RFC 1122 §4.2.3.6. */
function onKeepalive(connection: TcpConnection, now: number): void {
  const { keepalive } = connection.config;
  connection.keepaliveAt = NEVER;
  if (keepalive === undefined) return;
  if (connection.unansweredProbes >= keepalive.probes) {
    giveUp(connection, now, 'timed-out');
    return;
  }
  connection.keepaliveAt = now + keepalive.intervalMs;
  if (connection.sent.count > 0 || connection.state === 'SYN-SENT') return;
  connection.unansweredProbes += 1;
  connection.host.counters.keepalives += 1;
  emitAck(connection, now, (connection.sndUna - 1) >>> 0);
}

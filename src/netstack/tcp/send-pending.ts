// What a connection sends: RFC 9293 §3.8, RFC 5681, RFC 6675 §5, Nagle's algorithm (RFC 1122 §4.2.3.4).
import { seqAdd, seqBefore, seqDiff } from '../seq.ts';
import { restartRetransmissionTimer } from './acknowledgement.ts';
import { scheduleProbe } from './rack.ts';
import { owesWindowUpdate } from './receive-window.ts';
import { emitAck, emitData, emitReset, emitSyn } from './segment.ts';
import type { SentRecord } from './sent-queue.ts';
import { AckUrgency, type TcpConnection } from './tcp-connection.ts';

/** Segments a connection may send in one dispatch, so that a fast one does not starve the others. */
const BURST_SEGMENTS = 64;

/** Sends what may be sent now. True when there is more to send in the next dispatch. */
export function sendPending(connection: TcpConnection, now: number): boolean {
  const { state } = connection;
  if (state === 'CLOSED') return false;
  if (connection.isAborting) {
    if (state !== 'SYN-SENT' && state !== 'TIME-WAIT') emitReset(connection, now);
    connection.close('aborted');
    return false;
  }
  if (state === 'SYN-SENT' || state === 'SYN-RECEIVED') {
    outputSyn(connection, now);
    return false;
  }
  const isUnfinished = state !== 'TIME-WAIT' && outputData(connection, now);
  outputAck(connection, now);
  return isUnfinished;
}

/** Sends one segment whatever the congestion window says: a loss probe (RFC 8985 §7.3). */
export function sendProbe(connection: TcpConnection, now: number): 'new' | 'again' | 'none' {
  const length = nextLength(connection);
  if (length > 0) {
    sendNew(connection, now, length);
    return 'new';
  }
  const { sent } = connection;
  if (sent.count === 0) return 'none';
  sendAgain(connection, now, sent.at(sent.count - 1));
  return 'again';
}

function outputSyn(connection: TcpConnection, now: number): void {
  const { sent } = connection;
  if (sent.count === 0) {
    sent.push(connection.iss, seqAdd(connection.iss, 1), now);
    connection.sndMax = seqAdd(connection.iss, 1);
  } else {
    const record = sent.nextLost(connection.iss);
    if (record === undefined) return outputAck(connection, now);
    sent.markResent(record, now);
    connection.host.counters.retransSegs += 1;
  }
  connection.sndNxt = connection.sndMax;
  emitSyn(connection, now);
  connection.ackUrgency = AckUrgency.none;
  restartRetransmissionTimer(connection, now);
}

function outputData(connection: TcpConnection, now: number): boolean {
  restartAfterIdle(connection, now);
  let budget = BURST_SEGMENTS;
  let hasSentNew = false;
  let isUnfinished = false;
  connection.isWindowLimited = false;
  while (budget > 0) {
    const lost = connection.sent.nextLost(connection.sndNxt);
    const length = lost === undefined ? nextLength(connection) : seqDiff(lost.end, lost.start);
    if (length === 0) break;
    if (hasSentNew && lost === undefined && isCorked(connection, length)) {
      isUnfinished = true;
      break;
    }
    if (!fitsCongestionWindow(connection, length)) {
      connection.isWindowLimited = true;
      break;
    }
    if (lost === undefined) {
      sendNew(connection, now, length);
      hasSentNew = true;
    } else sendAgain(connection, now, lost);
    budget -= 1;
  }
  if (hasSentNew) scheduleProbe(connection, now);
  armPersistTimer(connection, now);
  return isUnfinished || budget === 0;
}

/** RFC 5681 §4.1. */
function restartAfterIdle(connection: TcpConnection, now: number): void {
  if (connection.sent.count > 0 || connection.sendBuffer.length === 0) return;
  if (now - connection.lastSentAt > connection.rtt.rtoMs) connection.congestion.onIdle();
}

function fitsCongestionWindow(connection: TcpConnection, length: number): boolean {
  const { pipeBytes } = connection;
  return pipeBytes === 0 || pipeBytes + length <= connection.congestion.windowBytes;
}

/** Sequence space of the next new segment, 0 when nothing may be sent: window, silly windows, Nagle. */
function nextLength(connection: TcpConnection): number {
  const { sndMax, dataEnd, mssBytes } = connection;
  const unsent = seqDiff(dataEnd, sndMax);
  if (unsent <= 0) return connection.isFinQueued && unsent === 0 ? 1 : 0;
  const usable = seqDiff(seqAdd(connection.sndUna, connection.sndWnd), sndMax);
  const length = Math.min(unsent, mssBytes, usable);
  if (length <= 0) return 0;
  if (length === unsent) {
    if (connection.isFinQueued && length < mssBytes) return length + 1;
    return length < mssBytes && isHeldByNagle(connection) ? 0 : length;
  }
  // A sliver of a window is worth waiting for more of it (RFC 9293 §3.8.6.2.1).
  return length < mssBytes && length < connection.maxSndWnd / 2 ? 0 : length;
}

/** Minshall's variant: only one small segment may be on its way. */
function isHeldByNagle(connection: TcpConnection): boolean {
  return !connection.noDelay && seqBefore(connection.sndUna, connection.sndSml);
}

/**
 * What is left behind full segments waits for the next dispatch, as Linux's automatic corking has it: more may come
 * within the turn, and a segment of a few bytes costs as much as a full one. Without Nagle's algorithm only, which
 * waits longer.
 */
function isCorked(connection: TcpConnection, length: number): boolean {
  return connection.noDelay && length < connection.mssBytes && !connection.isFinQueued;
}

function sendNew(connection: TcpConnection, now: number, length: number): void {
  const start = connection.sndMax;
  const end = seqAdd(start, length);
  const wasEmpty = connection.sent.count === 0;
  connection.sent.push(start, end, now);
  connection.sndMax = end;
  if (!connection.sent.hasUnsentLosses) connection.sndNxt = end;
  if (length < connection.mssBytes) connection.sndSml = end;
  countRecoverySend(connection, length);
  emitData(connection, now, start, end);
  if (wasEmpty || connection.rtoAt === Number.POSITIVE_INFINITY)
    restartRetransmissionTimer(connection, now);
}

function sendAgain(connection: TcpConnection, now: number, record: SentRecord): void {
  const { start, end } = record;
  connection.sent.markResent(record, now);
  connection.sndNxt = connection.sent.hasUnsentLosses ? end : connection.sndMax;
  connection.host.counters.retransSegs += 1;
  countRecoverySend(connection, seqDiff(end, start));
  emitData(connection, now, start, end);
  // RFC 6675 §5 (C.2) in Linux's way: the timer runs from the latest copy of the oldest segment.
  if (start === connection.sndUna || connection.rtoAt === Number.POSITIVE_INFINITY)
    restartRetransmissionTimer(connection, now);
}

function countRecoverySend(connection: TcpConnection, bytes: number): void {
  if (connection.recovery === 'recovery') connection.prrSentBytes += bytes;
}

/** RFC 9293 §3.8.6.1: with a closed window and nothing on its way, only a probe learns of its opening. */
function armPersistTimer(connection: TcpConnection, now: number): void {
  const isStuck =
    connection.sent.count === 0 &&
    seqBefore(connection.sndMax, connection.dataEnd) &&
    !isHeldByNagle(connection);
  if (!isStuck) connection.persistAt = Number.POSITIVE_INFINITY;
  else if (connection.persistAt === Number.POSITIVE_INFINITY) {
    const { maxRtoMs } = connection.config;
    const delayMs = connection.rtt.rtoMs * 2 ** connection.persistBackoff;
    connection.persistAt = now + Math.min(delayMs, maxRtoMs);
  }
}

function outputAck(connection: TcpConnection, now: number): void {
  if (connection.ackUrgency !== AckUrgency.now && !owesWindowUpdate(connection)) return;
  for (; connection.duplicateAcksOwed > 1; connection.duplicateAcksOwed -= 1)
    emitAck(connection, now);
  connection.duplicateAcksOwed = 0;
  emitAck(connection, now);
}

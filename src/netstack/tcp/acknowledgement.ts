// RFC 9293 §3.10.7.4, fifth step: the ACK field, with RFC 5961 §5, RFC 6298, RFC 2018.
import { TcpFlag } from '../../wire/tcp.ts';
import { seqAdd, seqBefore, seqDiff, seqMax } from '../seq.ts';
import { challenge } from './challenge.ts';
import { detectLosses } from './loss-detection.ts';
import { endProbe, scheduleProbe, widenReorderingWindow } from './rack.ts';
import { enterRecovery, updateRecovery } from './recovery.ts';
import { type IncomingSegment, segmentLength } from './segment.ts';
import { type TcpConnection, TcpEvent } from './tcp-connection.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** Takes the acknowledgement of a segment in the window. False when the segment goes no further. */
export function receiveAck(
  connection: TcpConnection,
  segment: IncomingSegment,
  now: number,
): boolean {
  const { ack } = segment.tcp;
  const oldest = seqAdd(connection.sndUna, -connection.maxSndWnd);
  if (seqBefore(ack, oldest) || seqBefore(connection.sndMax, ack)) {
    connection.host.drops.drop('tcp-bad-ack', segment.bytes);
    challenge(connection, now);
    return false;
  }
  connection.unansweredProbes = 0;
  // An older ACK carries data that may be new, and nothing else.
  if (!seqBefore(ack, connection.sndUna)) takeAck(connection, segment, now);
  return true;
}

/** RFC 9293: the window of the latest segment, by sequence then acknowledgement number. */
export function takeWindow(connection: TcpConnection, segment: IncomingSegment): void {
  const { tcp } = segment;
  const isNewer =
    seqBefore(connection.sndWl1, tcp.seq) ||
    (connection.sndWl1 === tcp.seq && !seqBefore(tcp.ack, connection.sndWl2));
  if (!isNewer) return;
  const shift = (tcp.flags & TcpFlag.syn) === 0 ? connection.sndShift : 0;
  connection.sndWnd = tcp.window * 2 ** shift;
  connection.sndWl1 = tcp.seq;
  connection.sndWl2 = tcp.ack;
  connection.maxSndWnd = Math.max(connection.maxSndWnd, connection.sndWnd);
  if (connection.sndWnd > 0) {
    connection.persistAt = NEVER;
    connection.persistBackoff = 0;
  }
}

/** Restarts the timer of the oldest outstanding segment, RFC 6298 (5.1)-(5.3). */
export function restartRetransmissionTimer(connection: TcpConnection, now: number): void {
  connection.rtoAt = connection.sent.count === 0 ? NEVER : now + connection.rtt.rtoMs;
}

function takeAck(connection: TcpConnection, segment: IncomingSegment, now: number): void {
  const { sent } = connection;
  const { tcp } = segment;
  const windowBefore = connection.sndWnd;
  const pipeBefore = connection.pipeBytes;
  const sackedBefore = sent.sackedBytes;
  const ackedBytes = seqDiff(tcp.ack, connection.sndUna);
  const hadOutstanding = sent.count > 0;
  takeWindow(connection, segment);
  sent.startDelivery();
  if (ackedBytes > 0) advance(connection, tcp.ack);
  const isDsack = connection.hasSack && tcp.sackCount > 0 && takeSack(connection, segment);
  if (!hadOutstanding) return;
  sampleRoundTrip(connection, segment, now);
  const isDuplicate =
    ackedBytes === 0 && segmentLength(segment) === 0 && connection.sndWnd === windowBefore;
  countDuplicates(connection, ackedBytes, isDuplicate);
  detectLosses(connection, now);
  if (endProbe(connection, tcp.ack, isDsack) && connection.recovery === 'open')
    repairedByProbe(connection, now);
  const delivered = sent.delivery.ackedBytes + sent.sackedBytes - sackedBefore;
  updateRecovery(connection, now, Math.max(0, delivered), pipeBefore);
  if (ackedBytes > 0) {
    restartRetransmissionTimer(connection, now);
    scheduleProbe(connection, now);
  }
  if (!sent.hasUnsentLosses) connection.sndNxt = connection.sndMax;
}

/** Moves SND.UNA and lets go of what the peer now has. */
function advance(connection: TcpConnection, ack: number): void {
  const { sent, sendBuffer } = connection;
  sent.acknowledge(ack, connection.highestSacked);
  connection.highestSacked = seqMax(connection.highestSacked, ack);
  connection.sndUna = ack;
  connection.sndNxt = seqMax(connection.sndNxt, ack);
  const dataBytes = Math.min(seqDiff(ack, connection.bufferSeq), sendBuffer.length);
  if (dataBytes > 0) {
    sendBuffer.acknowledge(dataBytes);
    connection.bufferSeq = seqAdd(connection.bufferSeq, dataBytes);
  }
  connection.retries = 0;
  connection.rtt.resetBackoff();
  if (connection.wantsWritable && sendBuffer.freeBytes >= connection.config.sendBufferBytes / 4) {
    connection.wantsWritable = false;
    connection.notify(TcpEvent.writable);
  }
}

/** True when the first block reports a duplicate (RFC 2883 §4). */
function takeSack(connection: TcpConnection, segment: IncomingSegment): boolean {
  const { sent, host, sndUna, sndMax } = connection;
  const { sackCount, sackEdges } = segment.tcp;
  let isDsack = false;
  for (let block = 0; block < sackCount; block += 1) {
    const left = sackEdges[2 * block] as number;
    const right = sackEdges[2 * block + 1] as number;
    if (!seqBefore(left, right) || seqBefore(sndMax, right)) continue;
    if (block === 0 && isDuplicateReport(segment, left, right)) {
      isDsack = true;
      host.counters.dsacksReceived += 1;
      widenReorderingWindow(connection);
    } else if (seqBefore(sndUna, right)) {
      sent.sack(left, right, connection.highestSacked);
    }
  }
  for (let block = isDsack ? 1 : 0; block < sackCount; block += 1) {
    const right = sackEdges[2 * block + 1] as number;
    if (!seqBefore(sndMax, right))
      connection.highestSacked = seqMax(connection.highestSacked, right);
  }
  return isDsack;
}

function isDuplicateReport(segment: IncomingSegment, left: number, right: number): boolean {
  const { ack, sackCount, sackEdges } = segment.tcp;
  if (!seqBefore(ack, right)) return true;
  if (sackCount < 2) return false;
  return !seqBefore(left, sackEdges[2] as number) && !seqBefore(sackEdges[3] as number, right);
}

/** RFC 6298 §3 (Karn): from data sent once; else from the echoed timestamp (RFC 7323 §4.1). */
function sampleRoundTrip(connection: TcpConnection, segment: IncomingSegment, now: number): void {
  const { delivery } = connection.sent;
  const { tcp } = segment;
  if (delivery.cleanSentAt >= 0) connection.rtt.sample(now, now - delivery.cleanSentAt);
  else if (delivery.ackedBytes > 0 && connection.hasTimestamps && tcp.hasTimestamps) {
    const elapsedMs = seqDiff(connection.timestamp(now), tcp.timestampEcho);
    if (tcp.timestampEcho !== 0 && elapsedMs >= 0 && elapsedMs < connection.config.maxRtoMs)
      connection.rtt.sample(now, elapsedMs);
  }
}

function countDuplicates(
  connection: TcpConnection,
  ackedBytes: number,
  isDuplicate: boolean,
): void {
  if (connection.hasSack) return;
  const { sent, mssBytes } = connection;
  if (ackedBytes > 0) {
    // Each segment a partial ACK covers beyond the one that was missing was counted before.
    const segments = Math.max(0, Math.ceil(ackedBytes / mssBytes) - 1);
    connection.duplicateAcks =
      connection.recovery === 'open' ? 0 : Math.max(0, connection.duplicateAcks - segments);
  } else if (isDuplicate && connection.duplicateAcks < sent.count - 1)
    connection.duplicateAcks += 1;
}

/** RFC 8985 §7.4.2: the probe hid a loss from fast recovery; congestion answers all the same. */
function repairedByProbe(connection: TcpConnection, now: number): void {
  enterRecovery(connection, now);
  connection.congestion.windowBytes = connection.congestion.slowStartThresholdBytes;
  connection.recoveryPoint = connection.sndUna;
}

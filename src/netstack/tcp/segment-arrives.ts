// RFC 9293 §3.10.7.3 and .4 with RFC 5961 (blind attacks) and RFC 7323 (timestamps, PAWS).
import { TcpFlag } from '../../wire/tcp.ts';
import { seqAdd, seqBefore, seqDiff } from '../seq.ts';
import { receiveAck, restartRetransmissionTimer, takeWindow } from './acknowledgement.ts';
import { acknowledgeNow, challenge } from './challenge.ts';
import { receiveText } from './receive-text.ts';
import {
  emitReset,
  type IncomingSegment,
  refuseSegment,
  segmentLength,
  updateMss,
} from './segment.ts';
import { agreeOnOptions } from './handshake.ts';
import { type TcpConnection, TcpEvent } from './tcp-connection.ts';
import { enterTimeWait } from './time-wait.ts';

/** RFC 7323 §5.5: a timestamp this old says nothing any more. */
const TIMESTAMP_MAX_AGE_MS = 24 * 24 * 3600 * 1000;

/** Takes a segment for a connection that exists. */
export function segmentArrives(
  connection: TcpConnection,
  segment: IncomingSegment,
  now: number,
): void {
  touchKeepalive(connection, now);
  if (connection.state === 'SYN-SENT') arrivesInSynSent(connection, segment, now);
  else arrivesSynchronized(connection, segment, now);
}

/** A connection heard from its peer: keepalive starts over. */
function touchKeepalive(connection: TcpConnection, now: number): void {
  const { keepalive } = connection.config;
  if (keepalive === undefined || connection.state === 'TIME-WAIT') return;
  connection.unansweredProbes = 0;
  connection.keepaliveAt = now + keepalive.idleMs;
}

function arrivesInSynSent(connection: TcpConnection, segment: IncomingSegment, now: number): void {
  const { tcp, bytes } = segment;
  const { drops } = connection.host;
  const hasAck = (tcp.flags & TcpFlag.ack) !== 0;
  const isAckGood =
    hasAck && seqBefore(connection.iss, tcp.ack) && !seqBefore(connection.sndMax, tcp.ack);
  if (hasAck && !isAckGood) {
    drops.drop('tcp-bad-ack', bytes);
    refuseSegment(connection.host, now, connection, segment);
  } else if ((tcp.flags & TcpFlag.rst) !== 0) {
    if (isAckGood) connection.close('refused');
    else drops.drop('tcp-bad-ack', bytes);
  } else if ((tcp.flags & TcpFlag.syn) === 0) drops.drop('tcp-unexpected', bytes);
  else receiveSyn(connection, segment, now, hasAck);
}

/** The peer's SYN: completes the handshake, or crosses ours on the way (simultaneous open). */
function receiveSyn(
  connection: TcpConnection,
  segment: IncomingSegment,
  now: number,
  hasAck: boolean,
): void {
  agreeOnOptions(connection, segment, now);
  takeWindow(connection, segment);
  if (hasAck) {
    receiveAck(connection, segment, now);
    establish(connection, now);
    receiveText(connection, segment, now);
    acknowledgeNow(connection);
    return;
  }
  connection.state = 'SYN-RECEIVED';
  // Sends the SYN again, with the acknowledgement.
  const first = connection.sent.at(0);
  if (connection.sent.count > 0) connection.sent.markLost(first);
  connection.sndNxt = connection.iss;
  connection.host.wake(connection);
}

function establish(connection: TcpConnection, now: number): void {
  // A FIN queued before the handshake ended goes out now, behind the data.
  connection.state = connection.isFinQueued ? 'FIN-WAIT-1' : 'ESTABLISHED';
  updateMss(connection, now);
  connection.retries = 0;
  restartRetransmissionTimer(connection, now);
  connection.notify(TcpEvent.connected | TcpEvent.writable);
}

function arrivesSynchronized(
  connection: TcpConnection,
  segment: IncomingSegment,
  now: number,
): void {
  const { tcp, bytes } = segment;
  const { drops } = connection.host;
  if (!passesTimestamps(connection, segment, now)) return;
  if (!isInWindow(connection, segment)) {
    refuseOutOfWindow(connection, segment, now);
    return;
  }
  if ((tcp.flags & TcpFlag.rst) !== 0) receiveReset(connection, segment, now);
  else if ((tcp.flags & TcpFlag.syn) !== 0) {
    drops.drop('tcp-unexpected', bytes);
    challenge(connection, now);
  } else if ((tcp.flags & TcpFlag.ack) === 0) drops.drop('tcp-no-ack', bytes);
  else {
    noteTimestamp(connection, segment, now);
    if (connection.state === 'SYN-RECEIVED' && !completesHandshake(connection, segment, now))
      return;
    if (!receiveAck(connection, segment, now)) return;
    afterAck(connection, now);
    receiveText(connection, segment, now);
    afterText(connection, now);
    connection.host.wake(connection);
  }
}

/** RFC 9293 §3.10.7.4, first step; like Linux, an empty segment may sit on the window's right edge. */
function isInWindow(connection: TcpConnection, segment: IncomingSegment): boolean {
  const { seq } = segment.tcp;
  const { rcvNxt, rcvEdge } = connection;
  const end = seqAdd(seq, segmentLength(segment));
  if (end === seq) return !seqBefore(seq, rcvNxt) && !seqBefore(rcvEdge, seq);
  // A closed window still takes the acknowledgement of a segment in order.
  if (rcvEdge === rcvNxt) return seq === rcvNxt;
  return seqBefore(rcvNxt, end) && seqBefore(seq, rcvEdge);
}

function refuseOutOfWindow(connection: TcpConnection, segment: IncomingSegment, now: number): void {
  const { tcp, bytes, payloadFrom, payloadTo } = segment;
  const isReset = (tcp.flags & TcpFlag.rst) !== 0;
  const isOldData = seqBefore(tcp.seq, connection.rcvNxt) && payloadTo > payloadFrom;
  connection.host.drops.drop(isOldData ? 'tcp-duplicate' : 'tcp-out-of-window', bytes);
  if (isReset) return;
  if (connection.state === 'SYN-RECEIVED' && isSynAgain(connection, segment)) {
    connection.sent.markLost(connection.sent.at(0));
    connection.host.wake(connection);
    return;
  }
  if (segmentLength(segment) === 0 || (tcp.flags & TcpFlag.syn) !== 0) {
    challenge(connection, now);
    return;
  }
  if (isOldData && connection.hasSack) {
    connection.dsackLeft = tcp.seq;
    connection.dsackRight = seqAdd(tcp.seq, payloadTo - payloadFrom);
  }
  // The peer's FIN again: it did not hear the acknowledgement.
  if (connection.state === 'TIME-WAIT' && (tcp.flags & TcpFlag.fin) !== 0)
    enterTimeWait(connection, now);
  acknowledgeNow(connection);
}

/** The peer did not hear our SYN-ACK. */
function isSynAgain(connection: TcpConnection, segment: IncomingSegment): boolean {
  const { tcp } = segment;
  return tcp.flags === TcpFlag.syn && tcp.seq === connection.irs && connection.sent.count > 0;
}

/** RFC 5961 §3.2: only the exact sequence number resets. */
function receiveReset(connection: TcpConnection, segment: IncomingSegment, now: number): void {
  if (segment.tcp.seq !== connection.rcvNxt) {
    connection.host.drops.drop('tcp-unexpected', segment.bytes);
    challenge(connection, now);
    return;
  }
  if (connection.state === 'SYN-RECEIVED')
    connection.close(connection.isPassive ? 'reset' : 'refused');
  else {
    connection.host.counters.estabResets += 1;
    connection.close(connection.state === 'TIME-WAIT' ? 'closed' : 'reset');
  }
}

function completesHandshake(
  connection: TcpConnection,
  segment: IncomingSegment,
  now: number,
): boolean {
  const { ack } = segment.tcp;
  if (!seqBefore(connection.sndUna, ack) || seqBefore(connection.sndMax, ack)) {
    connection.host.drops.drop('tcp-bad-ack', segment.bytes);
    refuseSegment(connection.host, now, connection, segment);
    return false;
  }
  takeWindow(connection, segment);
  establish(connection, now);
  return true;
}

/** RFC 7323 §5.3 R1: an old duplicate from before the sequence numbers wrapped. */
function passesTimestamps(
  connection: TcpConnection,
  segment: IncomingSegment,
  now: number,
): boolean {
  const { tcp, bytes } = segment;
  if (!connection.hasTimestamps || (tcp.flags & TcpFlag.rst) !== 0) return true;
  if (!tcp.hasTimestamps) {
    // §3.2: without its timestamps a segment of this connection is suspect.
    connection.host.drops.drop('tcp-no-timestamp', bytes);
    return false;
  }
  const isOld = seqDiff(tcp.timestampValue, connection.tsRecent) < 0;
  if (!isOld || now - connection.tsRecentAt > TIMESTAMP_MAX_AGE_MS) return true;
  connection.host.drops.drop('tcp-paws', bytes);
  challenge(connection, now);
  return false;
}

/** RFC 7323 §4.3: what to echo is the timestamp of the segment that the last ACK asked for. */
function noteTimestamp(connection: TcpConnection, segment: IncomingSegment, now: number): void {
  const { tcp } = segment;
  if (!connection.hasTimestamps || seqBefore(connection.lastAckSent, tcp.seq)) return;
  connection.tsRecent = tcp.timestampValue;
  connection.tsRecentAt = now;
}

/** The state changes that the acknowledgement of our FIN brings. */
function afterAck(connection: TcpConnection, now: number): void {
  if (!connection.isFinSent || connection.sndUna !== connection.sndMax) return;
  if (connection.state === 'FIN-WAIT-1') {
    connection.state = 'FIN-WAIT-2';
    if (connection.isOrphan) connection.lingerAt = now + connection.config.finWait2Ms;
  } else if (connection.state === 'CLOSING') enterTimeWait(connection, now);
  else if (connection.state === 'LAST-ACK') connection.close('closed');
}

/** Data nobody will read: the peer must know (RFC 9293 §3.6.1, RFC 1122 §4.2.2.13). */
function afterText(connection: TcpConnection, now: number): void {
  if (!connection.isOrphan || connection.receiveBuffer.readyBytes === 0) return;
  connection.host.drops.drop('tcp-after-close');
  emitReset(connection, now);
  connection.close('reset');
}

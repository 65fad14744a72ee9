// RFC 9293 §3.10.7.4, seventh and eighth step: data and FIN; when to acknowledge, RFC 5681 §4.2.
import { TcpFlag } from '../../wire/tcp.ts';
import { seqAdd, seqBefore, seqDiff, seqMax, seqMin } from '../seq.ts';
import { acknowledgeNow } from './challenge.ts';
import type { IncomingSegment } from './segment.ts';
import { enterTimeWait } from './time-wait.ts';
import { AckUrgency, type TcpConnection, TcpEvent } from './tcp-connection.ts';

/** Takes the data and the FIN of an acceptable segment. */
export function receiveText(
  connection: TcpConnection,
  segment: IncomingSegment,
  now: number,
): void {
  const { tcp, payloadFrom, payloadTo } = segment;
  const hasFin = (tcp.flags & TcpFlag.fin) !== 0;
  if (payloadTo === payloadFrom && !hasFin) return;
  if (!mayReceive(connection)) {
    if (hasFin && connection.state === 'TIME-WAIT') enterTimeWait(connection, now);
    if (connection.state !== 'CLOSED') acknowledgeNow(connection);
    return;
  }
  const start = (tcp.flags & TcpFlag.syn) === 0 ? tcp.seq : seqAdd(tcp.seq, 1);
  const end = seqAdd(start, payloadTo - payloadFrom);
  // A FIN that does not fit the window will be sent again.
  if (hasFin && !seqBefore(connection.rcvEdge, end)) connection.rcvFin = end;
  takeData(connection, segment, start, end, now);
  if (connection.rcvFin === connection.rcvNxt) receiveFin(connection, now);
}

/** The states in which the peer's direction is open. */
function mayReceive(connection: TcpConnection): boolean {
  const { state } = connection;
  return state === 'ESTABLISHED' || state === 'FIN-WAIT-1' || state === 'FIN-WAIT-2';
}

function takeData(
  connection: TcpConnection,
  segment: IncomingSegment,
  start: number,
  end: number,
  now: number,
): void {
  const from = seqMax(start, connection.rcvNxt);
  const to = seqMin(end, connection.rcvEdge);
  if (!seqBefore(from, to)) {
    // Nothing of it is new or fits: say so.
    if (start !== end) acknowledgeNow(connection);
    return;
  }
  const at = segment.payloadFrom + seqDiff(from, start);
  const data = segment.bytes.subarray(at, at + seqDiff(to, from));
  connection.rcvMssBytes = Math.max(
    connection.rcvMssBytes,
    Math.min(data.length, connection.mssBytes),
  );
  if (from === connection.rcvNxt) takeInOrder(connection, data, now);
  else takeOutOfOrder(connection, segment, from, data);
}

function takeInOrder(connection: TcpConnection, data: Uint8Array, now: number): void {
  const { receiveBuffer } = connection;
  const filledGap = receiveBuffer.hasGap;
  receiveBuffer.append(data);
  connection.rcvNxt = seqAdd(connection.rcvNxt, data.length);
  if (filledGap) connection.rcvNxt = receiveBuffer.advance(connection.rcvNxt);
  connection.unackedBytes += data.length;
  connection.notify(TcpEvent.readable);
  if (filledGap) acknowledgeNow(connection);
  else owe(connection, now);
}

/** Every second full segment at once, the rest within the delay. */
function owe(connection: TcpConnection, now: number): void {
  if (connection.quickAcks > 0 || connection.unackedBytes >= 2 * connection.rcvMssBytes) {
    connection.quickAcks = Math.max(0, connection.quickAcks - 1);
    acknowledgeNow(connection);
  } else if (connection.ackUrgency === AckUrgency.none) {
    connection.ackUrgency = AckUrgency.delayed;
    connection.ackAt = now + connection.config.delayedAckMs;
  }
}

function takeOutOfOrder(
  connection: TcpConnection,
  segment: IncomingSegment,
  seq: number,
  data: Uint8Array,
): void {
  const outcome = connection.receiveBuffer.insert(seq, data);
  if (outcome === 'full') connection.host.drops.drop('tcp-reassembly-full', segment.bytes);
  if (outcome === 'duplicate') {
    connection.host.drops.drop('tcp-duplicate', segment.bytes);
    connection.dsackLeft = seq;
    connection.dsackRight = seqAdd(seq, data.length);
  }
  if (!connection.hasSack) connection.duplicateAcksOwed += 1;
  acknowledgeNow(connection);
}

function receiveFin(connection: TcpConnection, now: number): void {
  connection.rcvNxt = seqAdd(connection.rcvNxt, 1);
  connection.rcvEdge = seqMax(connection.rcvEdge, connection.rcvNxt);
  connection.rcvFin = undefined;
  connection.isReadEnded = true;
  acknowledgeNow(connection);
  connection.notify(TcpEvent.readable);
  if (connection.state === 'ESTABLISHED') connection.state = 'CLOSE-WAIT';
  else if (connection.state === 'FIN-WAIT-1') connection.state = 'CLOSING';
  else enterTimeWait(connection, now);
}

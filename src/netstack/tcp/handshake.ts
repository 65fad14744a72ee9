import { seqAdd } from '../seq.ts';
import { currentPath, type IncomingSegment, updateMss, windowShiftFor } from './segment.ts';
import { CONGESTION_CONTROLS } from './tcp-config.ts';
import type { TcpConnection } from './tcp-connection.ts';

/** RFC 7323 §2.3: larger shifts are read as this. */
const MAX_SHIFT = 14;

/** Takes the peer's SYN: its sequence number and every option both sides know. */
export function agreeOnOptions(
  connection: TcpConnection,
  segment: IncomingSegment,
  now: number,
): void {
  const { tcp } = segment;
  const { config } = connection;
  connection.irs = tcp.seq;
  connection.rcvNxt = seqAdd(tcp.seq, 1);
  connection.rcvEdge = seqAdd(connection.rcvNxt, Math.min(config.receiveBufferBytes, 0xffff));
  connection.lastAckSent = connection.rcvNxt;
  connection.sndWl1 = tcp.seq;
  connection.sndWl2 = connection.sndUna;
  if (tcp.mss > 0) connection.peerMssBytes = tcp.mss;
  connection.hasSack = config.sack && tcp.sackPermitted;
  connection.hasTimestamps = config.timestamps && tcp.hasTimestamps;
  if (connection.hasTimestamps) {
    connection.tsRecent = tcp.timestampValue;
    connection.tsRecentAt = now;
  }
  connection.isScaled = config.windowScaling && tcp.windowScale >= 0;
  if (connection.isScaled) {
    connection.sndShift = Math.min(tcp.windowScale, MAX_SHIFT);
    connection.rcvShift = windowShiftFor(config.receiveBufferBytes);
  }
  currentPath(connection, now);
  updateMss(connection, now);
  connection.congestion = CONGESTION_CONTROLS[config.congestionControl](connection.mssBytes);
}

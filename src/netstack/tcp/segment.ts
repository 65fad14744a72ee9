import { pseudoHeaderSum } from '../../wire/checksum.ts';
import { IPV4_HEADER_BYTES, IpProtocol } from '../../wire/ipv4.ts';
import {
  emptyTcp,
  encodeTcp,
  TCP_HEADER_BYTES,
  TCP_TIMESTAMP_BYTES,
  TcpFlag,
  type TcpHeader,
  tcpHeaderBytes,
} from '../../wire/tcp.ts';
import type { Path } from '../ip/ip-output.ts';
import { seqAdd, seqDiff } from '../seq.ts';
import { windowToOffer } from './receive-window.ts';
import { AckUrgency, type FourTuple, type TcpConnection, type TcpHost } from './tcp-connection.ts';

/** Linux: TCP_MIN_MSS. */
const MIN_MSS = 88;
/** How often a connection asks whether its path's MTU is still what it was. */
const MTU_CHECK_MS = 60_000;
const MAX_SHIFT = 14;

/** A received segment. One record is reused. */
export interface IncomingSegment {
  readonly tcp: TcpHeader;
  bytes: Uint8Array;
  payloadFrom: number;
  payloadTo: number;
}

// One of each for the whole process: filled and encoded within one call.
const header = emptyTcp();
const ipFields = {
  source: 0,
  destination: 0,
  protocol: IpProtocol.tcp as number,
  dontFragment: true,
  trafficClass: 0,
};

/** The route now, or undefined when there is none. */
export function currentPath(connection: TcpConnection, now: number): Path | undefined {
  const { output } = connection.host;
  const known = connection.path;
  if (known?.generation === output.fib.generation && now < connection.mtuCheckAt) return known;
  connection.path = output.path(connection.remoteAddress);
  connection.mtuCheckAt = now + MTU_CHECK_MS;
  updateMss(connection, now);
  return connection.path;
}

/** Recomputes the segment size from the path's MTU, the peer's MSS option and the options in use. */
export function updateMss(connection: TcpConnection, now: number): void {
  const { path, host } = connection;
  if (path === undefined) return;
  const mtuBytes = host.output.mtuOf(now, path, connection.remoteAddress);
  const peerMss = Math.max(connection.peerMssBytes, MIN_MSS);
  const mss = Math.min(peerMss, mtuBytes - IPV4_HEADER_BYTES - TCP_HEADER_BYTES);
  const mssBytes = mss - (connection.hasTimestamps ? TCP_TIMESTAMP_BYTES : 0);
  if (mssBytes === connection.mssBytes) return;
  if (mssBytes < connection.mssBytes) connection.sent.split(mssBytes);
  connection.mssBytes = mssBytes;
  connection.congestion.onSegmentSize(mssBytes);
}

/** What this side's SYN offers: the link's MTU, whatever the path's is (RFC 6691). */
export function offeredMss(path: Path): number {
  return path.netInterface.mtuBytes - IPV4_HEADER_BYTES - TCP_HEADER_BYTES;
}

/** The smallest shift that lets the window field cover the receive buffer. */
export function windowShiftFor(bufferBytes: number): number {
  let shift = 0;
  while (shift < MAX_SHIFT && 0xffff * 2 ** shift < bufferBytes) shift += 1;
  return shift;
}

/** Sends SYN or SYN-ACK: a SYN offers every option that is configured, a reply those that were offered. */
export function emitSyn(connection: TcpConnection, now: number): void {
  const path = currentPath(connection, now);
  if (path === undefined) {
    connection.host.drops.drop('no-route');
    return;
  }
  const { config } = connection;
  const isReply = connection.state === 'SYN-RECEIVED';
  resetOptions();
  header.mss = offeredMss(path);
  header.sackPermitted = isReply ? connection.hasSack : config.sack;
  header.hasTimestamps = isReply ? connection.hasTimestamps : config.timestamps;
  if (isReply ? connection.isScaled : config.windowScaling)
    header.windowScale = windowShiftFor(config.receiveBufferBytes);
  header.flags = TcpFlag.syn | (isReply ? TcpFlag.ack : 0);
  header.seq = connection.iss;
  header.window = Math.min(config.receiveBufferBytes, 0xffff);
  if (isReply) connection.rcvEdge = seqAdd(connection.rcvNxt, header.window);
  send(connection, path, now, 0, 0);
}

/** Sends [start, end) of the sequence space behind the SYN: data, FIN or both. */
export function emitData(connection: TcpConnection, now: number, start: number, end: number): void {
  const path = currentPath(connection, now);
  if (path === undefined) {
    connection.host.drops.drop('no-route');
    return;
  }
  const { dataEnd } = connection;
  const beyondData = Math.max(0, seqDiff(end, dataEnd));
  const payloadBytes = seqDiff(end, start) - beyondData;
  resetOptions();
  header.hasTimestamps = connection.hasTimestamps;
  header.flags = TcpFlag.ack;
  if (beyondData > 0) header.flags |= TcpFlag.fin;
  if (payloadBytes > 0 && seqDiff(end, dataEnd) >= 0) header.flags |= TcpFlag.psh;
  header.seq = start;
  setWindow(connection);
  send(connection, path, now, seqDiff(start, connection.bufferSeq), payloadBytes);
  // A segment with data carries no SACK blocks: with holes the pure acknowledgement is still owed.
  if (!connection.receiveBuffer.hasGap) acknowledged(connection);
  connection.lastSentAt = now;
}

/** Sends an acknowledgement without data, at SND.MAX unless `seq` says otherwise. */
export function emitAck(
  connection: TcpConnection,
  now: number,
  seq: number = connection.sndMax,
): void {
  const path = currentPath(connection, now);
  if (path === undefined) {
    connection.host.drops.drop('no-route');
    return;
  }
  resetOptions();
  header.hasTimestamps = connection.hasTimestamps;
  header.flags = TcpFlag.ack;
  header.seq = seq;
  if (connection.hasSack) setSack(connection);
  setWindow(connection);
  send(connection, path, now, 0, 0);
  acknowledged(connection);
}

/** Resets a connection from this side. */
export function emitReset(connection: TcpConnection, now: number): void {
  sendReset(connection.host, now, connection, connection.sndMax, connection.rcvNxt);
}

/** RFC 9293 §3.10.7.1: answers a segment that belongs to no connection. Never answers a reset. */
export function refuseSegment(
  host: TcpHost,
  now: number,
  tuple: FourTuple,
  segment: IncomingSegment,
): void {
  const { tcp } = segment;
  if ((tcp.flags & TcpFlag.rst) !== 0) return;
  if ((tcp.flags & TcpFlag.ack) !== 0) sendReset(host, now, tuple, tcp.ack, undefined);
  else sendReset(host, now, tuple, 0, seqAdd(tcp.seq, segmentLength(segment)));
}

/** Payload, SYN and FIN. */
export function segmentLength(segment: IncomingSegment): number {
  const { flags } = segment.tcp;
  const controls = ((flags & TcpFlag.syn) === 0 ? 0 : 1) + ((flags & TcpFlag.fin) === 0 ? 0 : 1);
  return segment.payloadTo - segment.payloadFrom + controls;
}

function resetOptions(): void {
  header.mss = 0;
  header.windowScale = -1;
  header.sackPermitted = false;
  header.hasTimestamps = false;
  header.sackCount = 0;
}

function setWindow(connection: TcpConnection): void {
  const { rcvShift } = connection;
  const units = Math.ceil(windowToOffer(connection) / 2 ** rcvShift);
  header.window = Math.min(units, 0xffff);
  connection.rcvEdge = seqAdd(connection.rcvNxt, header.window * 2 ** rcvShift);
}

/** RFC 2883: a duplicate is reported first, then the holes' far sides. */
function setSack(connection: TcpConnection): void {
  const { receiveBuffer, host } = connection;
  let count = 0;
  if (connection.dsackLeft !== connection.dsackRight) {
    header.sackEdges[0] = connection.dsackLeft;
    header.sackEdges[1] = connection.dsackRight;
    connection.dsackLeft = connection.dsackRight;
    host.counters.dsacksSent += 1;
    count = 1;
  }
  const maxBlocks = connection.hasTimestamps ? 3 : 4;
  header.sackCount = count + receiveBuffer.sackBlocks(header.sackEdges, count, maxBlocks - count);
}

function acknowledged(connection: TcpConnection): void {
  connection.ackUrgency = AckUrgency.none;
  connection.unackedBytes = 0;
  connection.ackAt = Number.POSITIVE_INFINITY;
}

function send(
  connection: TcpConnection,
  path: Path,
  now: number,
  bufferOffset: number,
  payloadBytes: number,
): void {
  const { host } = connection;
  header.ack = (header.flags & TcpFlag.ack) === 0 ? 0 : connection.rcvNxt;
  header.sourcePort = connection.localPort;
  header.destinationPort = connection.remotePort;
  if (header.hasTimestamps) {
    header.timestampValue = connection.timestamp(now);
    header.timestampEcho = connection.tsRecent;
  }
  const headerBytes = tcpHeaderBytes(header);
  const packet = host.output.allocate(path.netInterface, headerBytes + payloadBytes);
  const at = host.output.transportAt(path.netInterface);
  if (payloadBytes > 0)
    connection.sendBuffer.copy(bufferOffset, payloadBytes, packet, at + headerBytes);
  connection.lastAckSent = connection.rcvNxt;
  finish(host, now, path, connection, packet, at);
}

function sendReset(
  host: TcpHost,
  now: number,
  tuple: FourTuple,
  seq: number,
  ack: number | undefined,
): void {
  const path = host.output.path(tuple.remoteAddress);
  if (path === undefined) {
    host.drops.drop('no-route');
    return;
  }
  resetOptions();
  header.flags = TcpFlag.rst | (ack === undefined ? 0 : TcpFlag.ack);
  header.seq = seq;
  header.ack = ack ?? 0;
  header.window = 0;
  header.sourcePort = tuple.localPort;
  header.destinationPort = tuple.remotePort;
  host.counters.outRsts += 1;
  const packet = host.output.allocate(path.netInterface, TCP_HEADER_BYTES);
  finish(host, now, path, tuple, packet, host.output.transportAt(path.netInterface));
}

function finish(
  host: TcpHost,
  now: number,
  path: Path,
  tuple: FourTuple,
  packet: Uint8Array,
  at: number,
): void {
  ipFields.source = tuple.localAddress;
  ipFields.destination = tuple.remoteAddress;
  const { source, destination } = ipFields;
  const pseudo = pseudoHeaderSum(source, destination, IpProtocol.tcp, packet.length - at);
  encodeTcp(packet, at, packet.length, header, pseudo);
  host.counters.outSegs += 1;
  host.output.send(now, path, packet, ipFields);
}

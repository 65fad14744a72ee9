import { seqBefore, seqDiff } from '../seq.ts';
import { detectByTime } from './rack.ts';
import type { TcpConnection } from './tcp-connection.ts';

/** RFC 5681 §3.2, RFC 6675 §2: DupThresh. */
const DUPLICATE_THRESHOLD = 3;

/** Marks what has to be sent again, after an ACK whose deliveries are in `connection.sent.delivery`. */
export function detectLosses(connection: TcpConnection, now: number): void {
  const { sent } = connection;
  if (sent.count === 0) return;
  if (!connection.hasSack) detectByDuplicates(connection);
  else if (connection.config.lossDetection === 'rack') detectByTime(connection, now);
  else detectByCount(connection);
  if (!sent.hasUnsentLosses) return;
  const first = sent.nextLost(connection.sndUna);
  if (first !== undefined && seqBefore(first.start, connection.sndNxt))
    connection.sndNxt = first.start;
}

/** RFC 6582: three duplicate ACKs, then in recovery whatever a partial ACK uncovers. */
function detectByDuplicates(connection: TcpConnection): void {
  const { sent, recovery } = connection;
  const first = sent.at(0);
  const isPartialAck = recovery === 'recovery' && sent.delivery.ackedBytes > 0;
  const isThreshold = recovery === 'open' && connection.duplicateAcks >= DUPLICATE_THRESHOLD;
  if ((isThreshold || isPartialAck) && !first.lost) sent.markLost(first);
}

/** RFC 6675 §4, IsLost: three separate SACKed ranges, or more than two segments' bytes, above. */
function detectByCount(connection: TcpConnection): void {
  const { sent, mssBytes } = connection;
  if (sent.sackedBytes === 0) return;
  let ranges = 0;
  let bytes = 0;
  let aboveIsSacked = false;
  for (let index = sent.count - 1; index >= 0; index -= 1) {
    const record = sent.at(index);
    if (record.sacked) {
      bytes += seqDiff(record.end, record.start);
      if (!aboveIsSacked) ranges += 1;
    } else if (
      !record.lost &&
      (ranges >= DUPLICATE_THRESHOLD || bytes > (DUPLICATE_THRESHOLD - 1) * mssBytes)
    )
      sent.markLost(record);
    aboveIsSacked = record.sacked;
  }
}

import { addSums, pseudoHeaderSum, sumOf } from '../../wire/checksum.ts';
import type { DropLog, DropReason } from '../drop-log.ts';
import type { ReceivedPacket } from './ip-input.ts';

/**
 * Judges a TCP or UDP checksum, whose field on the wire is `field`. A field that equals the bare
 * pseudo-header sum was left for an offload that a virtual link never ran: counted as partial and, unless
 * the interface takes those, dropped under its own reason. True when the segment may go on.
 */
export function acceptChecksum(
  packet: ReceivedPacket,
  field: number,
  drops: DropLog,
  badReason: DropReason,
): boolean {
  const { header, netInterface, bytes, payloadFrom, to } = packet;
  const { source, destination, protocol } = header;
  const pseudoSum = pseudoHeaderSum(source, destination, protocol, to - payloadFrom);
  const mayBePartial = field === pseudoSum;
  if (mayBePartial && netInterface.acceptPartialChecksums) {
    netInterface.counters.partialChecksums += 1;
    return true;
  }
  if (addSums(pseudoSum, sumOf(bytes, payloadFrom, to)) === 0xffff) return true;
  if (mayBePartial) netInterface.counters.partialChecksums += 1;
  drops.drop(mayBePartial ? 'inner-checksum-partial' : badReason, bytes);
  return false;
}

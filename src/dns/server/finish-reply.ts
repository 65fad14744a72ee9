import { Rcode } from '../message/codes.ts';
import { encodeReply, MAX_MESSAGE_BYTES, type EncodedMessage } from '../message/encode-message.ts';
import { EdnsOptionCode, type DnsMessage, type Edns } from '../message/message.ts';
import type { DnsRequest } from '../plugin/plugin.ts';

/** Smallest UDP limit, RFC 1035 §2.3.4; smaller EDNS sizes count as this (RFC 6891 §6.2.3). */
export const MIN_UDP_BYTES = 512;
/** Above these a usual link fragments UDP replies, so CoreDNS compresses even what would fit. */
const FRAGMENT_BYTES = { IPv4: 1480, IPv6: 1220 } as const;

const BARE_OPT: Edns = { udpBytes: 0, version: 0, dnssecOk: false, options: [] };

const ECHOED_OPTIONS: ReadonlySet<number> = new Set([
  EdnsOptionCode.NSID,
  EdnsOptionCode.EXPIRE,
  EdnsOptionCode.COOKIE,
  EdnsOptionCode.TCP_KEEPALIVE,
  EdnsOptionCode.PADDING,
]);

/** Largest reply the client takes. */
export function replyLimitBytes(request: DnsRequest): number {
  if (request.peer.protocol === 'tcp') return MAX_MESSAGE_BYTES;
  return Math.max(MIN_UDP_BYTES, request.limits.udpBytes);
}

/** Adds OPT if the client sent one, and makes the reply fit (request.SizeAndDo and Scrub). */
export function finishReply(request: DnsRequest, reply: DnsMessage): EncodedMessage {
  const maxBytes = replyLimitBytes(request);
  const fragmentBytes =
    request.peer.protocol === 'udp' ? FRAGMENT_BYTES[request.peer.family] : maxBytes;
  return encodeReply(withEdns(request, reply), { maxBytes, fragmentBytes });
}

/** The reply with the OPT it will have. */
export function withEdns(request: DnsRequest, reply: DnsMessage): DnsMessage {
  const asked = request.message.edns;
  if (asked === undefined) {
    const { edns: _none, ...rest } = reply;
    return reply.edns === undefined ? reply : rest;
  }
  // Nothing of a version that is not understood is repeated.
  if (reply.rcode === Rcode.BADVERS) return { ...reply, edns: BARE_OPT };
  const edns: Edns = {
    udpBytes: request.limits.udpBytes,
    version: 0,
    dnssecOk: asked.dnssecOk,
    options:
      reply.edns?.options ?? asked.options.filter((option) => ECHOED_OPTIONS.has(option.code)),
  };
  return { ...reply, edns };
}

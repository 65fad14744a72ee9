import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { encodeMessage, MAX_MESSAGE_BYTES } from '../message/encode-message.ts';
import { Rcode } from '../message/codes.ts';
import { replyTo, type DnsMessage } from '../message/message.ts';
import type { Peer } from '../plugin/plugin.ts';
import { AnswerCache } from './answer-cache.ts';
import type { BoundAddress } from './bind-error.ts';
import type { Arrival, Dispatched } from './dispatcher.ts';
import { finishReply, MIN_UDP_BYTES } from './finish-reply.ts';
import { screenQuery } from './screen-query.ts';

/** Queries a listener may have under way; more are dropped, and their clients ask again. */
const MAX_PENDING = 10_000;

/** Bytes in, bytes out, for one listener: the only thing sockets know of DNS. */
export interface QueryHandler {
  /** The ready reply to these bytes, valid until the next call; most queries end here. */
  cached(packet: Buffer): Buffer | undefined;
  /** Zero or one reply, several for a transfer. Never rejects. */
  handle(packet: Buffer, peer: Peer, local: BoundAddress): Promise<readonly Buffer[]>;
  /** Forgets ready replies, after a reload. */
  forget(): void;
}

export interface QueryHandlerOptions {
  readonly corefilePort: number;
  readonly clock: Clock;
  readonly random: Random;
  /** By the Corefile in force; a reload changes it between two queries. */
  readonly dispatch: (arrival: Arrival) => Promise<Dispatched>;
  /** True while every answer is to be computed: somebody looks on, or faults befall queries. */
  readonly unready: () => boolean;
  readonly onError: (error: unknown, query: DnsMessage) => void;
  /** After a query that no server block wanted. */
  readonly onUnmatched: (dispatched: Dispatched, rcode: number, replyBytes: number) => void;
}

export function createQueryHandler(options: QueryHandlerOptions): QueryHandler {
  const cache = new AnswerCache(options.random);
  const { clock, unready } = options;
  let pending = 0;

  const handle = async (
    packet: Buffer,
    peer: Peer,
    local: BoundAddress,
  ): Promise<readonly Buffer[]> => {
    if (pending >= MAX_PENDING) return [];
    const screening = screenQuery(packet);
    if (screening.kind === 'ignore') return [];
    if (screening.kind === 'reject')
      return [
        encodeMessage(screening.reply, { maxBytes: MAX_MESSAGE_BYTES, compress: false }).bytes,
      ];
    pending += 1;
    try {
      const arrival: Arrival = {
        message: screening.message,
        peer,
        local,
        corefilePort: options.corefilePort,
        queryBytes: packet.length,
        receivedAt: clock.now(),
      };
      return repliesOf(packet, await options.dispatch(arrival));
    } catch (error) {
      // A reply that cannot be written, e.g. with a name that is too long: the fault is in our data.
      options.onError(error, screening.message);
      const reply = replyTo(screening.message, { rcode: Rcode.SERVFAIL });
      return [encodeMessage(reply, { maxBytes: MIN_UDP_BYTES, compress: false }).bytes];
    } finally {
      pending -= 1;
    }
  };

  const repliesOf = (packet: Buffer, dispatched: Dispatched): readonly Buffer[] => {
    const { request, outcome } = dispatched;
    switch (outcome.kind) {
      case 'drop':
        return [];
      case 'transfer':
        return outcome.messages.map(
          (message) =>
            encodeMessage(message, { maxBytes: MAX_MESSAGE_BYTES, compress: true }).bytes,
        );
      case 'rcode': {
        const reply = replyTo(request.message, { rcode: outcome.rcode });
        const { bytes } = finishReply(request, reply);
        if (dispatched.unmatched) options.onUnmatched(dispatched, outcome.rcode, bytes.length);
        return [bytes];
      }
      case 'reply': {
        const { bytes } = finishReply(request, outcome.message);
        // Options such as cookies differ with every query: they would only push others out.
        const repeatable =
          (request.message.edns?.options.length ?? 0) === 0 &&
          outcome.message.rcode !== Rcode.BADVERS;
        if (repeatable && !unready()) cache.store(packet, bytes, request.reuse, clock.now());
        return [bytes];
      }
    }
  };

  return {
    cached(packet) {
      if (unready()) return undefined;
      const startedAt = clock.now();
      const hit = cache.find(packet, startedAt);
      if (hit === undefined) return undefined;
      const { effects } = hit;
      if (effects.length > 0) {
        const effect = {
          queryBytes: packet.length,
          replyBytes: hit.reply.length,
          durationMs: clock.now() - startedAt,
        };
        for (const apply of effects) apply(effect);
      }
      return hit.reply;
    },
    handle,
    forget: () => cache.clear(),
  };
}

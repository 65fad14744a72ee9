import type { Destination } from '../destination.ts';
import { foldAddress, hash32 } from '../hashing.ts';
import { explainChoice } from './explain.ts';
import type { Scheduler, SchedulerService } from './scheduler.ts';

const TABLE_BITS = 8;
const TABLE_SIZE = 1 << TABLE_BITS;

/**
 * Destination hashing (ip_vs_dh.c): a static table over the virtual address. Weights do not shape it,
 * but a destination that may not be used refuses its share. Built on add and removal, not on an edit.
 */
export function destinationHashing(service: SchedulerService): Scheduler {
  const table: (Destination | undefined)[] = new Array(TABLE_SIZE);
  const build = (): void => {
    const list = service.destinations;
    for (let index = 0; index < TABLE_SIZE; index += 1) table[index] = list[index % list.length];
  };
  build();

  return {
    schedule(packet, trace) {
      const input = foldAddress(packet.destination.address);
      const slot = hash32(input, TABLE_BITS);
      const owner = table[slot];
      const chosen = owner !== undefined && owner.available && owner.usable ? owner : undefined;
      if (trace !== undefined) {
        const name = owner?.name;
        trace.push({ kind: 'hash', hash: 'hash_32', input, slot, slots: TABLE_SIZE, owner: name });
        explainChoice(trace, chosen, 'owns the bucket of the virtual address');
      }
      return chosen;
    },
    addDest: build,
    removeDest: build,
  };
}

import { sleep, type Clock } from '../../base/clock.ts';
import { cidrContains, cidrOf, parseCidr, parseIp, type Cidr } from '../../base/ip.ts';
import type { Random } from '../../base/random.ts';
import { Rcode, RecordType } from '../message/codes.ts';
import { replyTo } from '../message/message.ts';
import { foldName, fullyQualified, isSubdomain } from '../message/name.ts';
import type { Outcome } from '../plugin/plugin.ts';
import type { Arrival, Dispatched } from '../server/dispatcher.ts';

/** What goes wrong. */
export type FaultAction =
  | { readonly kind: 'drop' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'rcode'; readonly rcode: number }
  /** NOERROR without records: what a resolver takes for "no such data". */
  | { readonly kind: 'empty' }
  | { readonly kind: 'truncate' }
  /** As before the Kubernetes API has been read: what would be NXDOMAIN is SERVFAIL. */
  | { readonly kind: 'unsynced' }
  /** The first answer to each question is given for ever, whatever changes. */
  | { readonly kind: 'stale' };

/** A fault and the queries it befalls; all conditions must hold. */
export interface DnsFault {
  readonly action: FaultAction;
  /** This name and everything below it. Default: every name. */
  readonly name?: string;
  readonly type?: number;
  /** An address or a CIDR. Default: everybody. */
  readonly client?: string;
  /** Which part of the matching queries, by chance. Default 1. */
  readonly fraction?: number;
  /** Befalls this many queries, then goes away. Default: no end. */
  readonly count?: number;
}

interface ActiveFault {
  readonly fault: DnsFault;
  readonly name: string;
  readonly network: Cidr | undefined;
  left: number;
}

/** Questions whose first answer is remembered by a `stale` fault. */
const MAX_STALE = 10_000;

/**
 * Faults of a DNS server, changeable while it runs. Chance comes from one seeded stream, so a run can be
 * repeated. While there is any fault, answers are computed one by one.
 */
export class FaultInjector {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #onChange: () => void;
  readonly #stale = new Map<string, Outcome>();
  readonly #faults = new Map<number, ActiveFault>();
  #nextId = 1;

  constructor(clock: Clock, random: Random, onChange: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#onChange = onChange;
  }

  get active(): boolean {
    return this.#faults.size > 0;
  }

  /** Returns what takes the fault away. Throws a TypeError when `client` is no address or CIDR. */
  add(fault: DnsFault): { remove(): void } {
    const id = this.#nextId;
    this.#nextId += 1;
    this.#faults.set(id, {
      fault,
      name: foldName(fullyQualified(fault.name ?? '.')),
      network: networkOf(fault.client),
      left: fault.count ?? Number.POSITIVE_INFINITY,
    });
    this.#onChange();
    return { remove: () => void this.#faults.delete(id) };
  }

  list(): readonly DnsFault[] {
    return [...this.#faults.values()].map(({ fault }) => fault);
  }

  clear(): void {
    this.#faults.clear();
    this.#stale.clear();
  }

  /** Runs a query through the faults that befall it. */
  async apply(
    arrival: Arrival,
    dispatch: (arrival: Arrival) => Promise<Dispatched>,
  ): Promise<Dispatched> {
    const befalling = this.#befalling(arrival);
    for (const { action } of befalling)
      if (action.kind === 'delay') await sleep(this.#clock, action.delayMs);
    const dispatched = await dispatch(arrival);
    dispatched.request.reuse.refuse();
    return befalling.reduce<Dispatched>(
      (result, { action }) => ({ ...result, outcome: this.#changed(result, action) }),
      dispatched,
    );
  }

  #befalling(arrival: Arrival): DnsFault[] {
    const befalling: DnsFault[] = [];
    for (const [id, active] of this.#faults) {
      if (!concerns(active, arrival)) continue;
      const { fraction = 1 } = active.fault;
      if (fraction < 1 && this.#random.float() >= fraction) continue;
      active.left -= 1;
      if (active.left <= 0) this.#faults.delete(id);
      befalling.push(active.fault);
    }
    return befalling;
  }

  #changed({ request, outcome }: Dispatched, action: FaultAction): Outcome {
    const { message } = request;
    switch (action.kind) {
      case 'delay':
        return outcome;
      case 'drop':
        return { kind: 'drop' };
      case 'rcode':
        return { kind: 'rcode', rcode: action.rcode };
      case 'empty':
        return { kind: 'reply', message: replyTo(message), plugin: 'fault' };
      case 'truncate':
        return { kind: 'reply', message: replyTo(message, { truncated: true }), plugin: 'fault' };
      case 'unsynced':
        if (outcome.kind !== 'reply' || outcome.message.rcode !== Rcode.NXDOMAIN) return outcome;
        return { ...outcome, message: { ...outcome.message, rcode: Rcode.SERVFAIL } };
      case 'stale':
        return this.#staleOutcome(`${request.question.type} ${request.name}`, message.id, outcome);
    }
  }

  #staleOutcome(key: string, id: number, outcome: Outcome): Outcome {
    const kept = this.#stale.get(key);
    if (kept === undefined && this.#stale.size < MAX_STALE) this.#stale.set(key, outcome);
    if (kept?.kind !== 'reply') return outcome;
    return { ...kept, message: { ...kept.message, id } };
  }
}

/** Answers everything but AAAA questions, as resolvers see it behind some broken middleboxes. */
export const DROP_AAAA: DnsFault = { action: { kind: 'drop' }, type: RecordType.AAAA };

function concerns({ fault, name, network }: ActiveFault, { message, peer }: Arrival): boolean {
  const [question] = message.questions;
  if (question === undefined) return false;
  if (fault.type !== undefined && fault.type !== question.type) return false;
  if (!isSubdomain(name, foldName(question.name))) return false;
  if (network === undefined) return true;
  const ip = parseIp(peer.address);
  return ip !== undefined && cidrContains(network, ip);
}

function networkOf(client: string | undefined): Cidr | undefined {
  if (client === undefined) return undefined;
  const ip = parseIp(client);
  const network =
    ip === undefined
      ? parseCidr(client, { allowHostBits: true })
      : cidrOf(ip, ip.family === 'IPv4' ? 32 : 128);
  if (network === undefined) throw new TypeError(`client '${client}' is not an address or a CIDR`);
  return network;
}

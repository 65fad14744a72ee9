import { sleep, type Clock } from '../../base/clock.ts';
import { PodwireError } from '../../base/errors.ts';
import { cidrContains, cidrOf, parseCidr, parseIp, type Cidr } from '../../base/ip.ts';
import type { Random } from '../../base/random.ts';
import { Rcode } from '../message/codes.ts';
import { replyTo } from '../message/message.ts';
import { foldName, fullyQualified, isSubdomain } from '../message/name.ts';
import type { Outcome } from '../plugin/plugin.ts';
import type { Arrival, Dispatched } from '../server/dispatcher.ts';
import type { AskedQuestion, DnsFault, FaultAction, UpstreamFailure } from './dns-fault.ts';
import { formatFault } from './fault-text.ts';

interface ActiveFault {
  readonly fault: DnsFault;
  readonly name: string;
  readonly network: Cidr | undefined;
  left: number;
}

/** A fault in force. */
export interface ListedFault {
  readonly id: number;
  readonly fault: DnsFault;
  /** Queries it still befalls; Infinity without a count. */
  readonly left: number;
}

/** More at once help nobody. */
export const MAX_FAULTS = 1000;
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

  /** Returns what takes the fault away. Throws a PodwireError with code `DNS_FAULT` when `client` is no address or CIDR, or at 1,000 faults. */
  add(fault: DnsFault): { readonly id: number; remove(): void } {
    if (this.#faults.size >= MAX_FAULTS)
      throw new PodwireError(
        'DNS_FAULT',
        `there are ${MAX_FAULTS} faults already; clear them first`,
      );
    const id = this.#nextId;
    this.#nextId += 1;
    this.#faults.set(id, {
      fault,
      name: foldName(fullyQualified(fault.name ?? '.')),
      network: networkOf(fault.client),
      left: fault.count ?? Number.POSITIVE_INFINITY,
    });
    this.#onChange();
    return { id, remove: () => void this.remove(id) };
  }

  /** False when there is no such fault. */
  remove(id: number): boolean {
    return this.#faults.delete(id);
  }

  list(): readonly ListedFault[] {
    return [...this.#faults].map(([id, { fault, left }]) => ({ id, fault, left }));
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
    const [question] = arrival.message.questions;
    const asked = { ...question, client: arrival.peer.address } as AskedQuestion;
    const befalling = this.#befalling(asked, (fault) => fault.action.kind !== 'upstream');
    for (const { action } of befalling)
      if (action.kind === 'delay') await sleep(this.#clock, action.delayMs);
    const dispatched = await dispatch(arrival);
    dispatched.request.reuse.refuse();
    for (const fault of befalling)
      arrival.trace?.add({ plugin: 'fault', what: formatFault(fault) });
    return befalling.reduce<Dispatched>(
      (result, { action }) => ({ ...result, outcome: this.#changed(result, action) }),
      dispatched,
    );
  }

  /** How asking an upstream fails, if it is to. */
  upstreamFailure(asked: AskedQuestion): UpstreamFailure | undefined {
    if (this.#faults.size === 0) return undefined;
    const [fault] = this.#befalling(asked, ({ action }) => action.kind === 'upstream');
    return fault?.action.kind === 'upstream' ? fault.action.failure : undefined;
  }

  #befalling(asked: AskedQuestion, wanted: (fault: DnsFault) => boolean): DnsFault[] {
    const befalling: DnsFault[] = [];
    for (const [id, active] of this.#faults) {
      if (!wanted(active.fault) || !concerns(active, asked)) continue;
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
      case 'upstream':
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

function concerns({ fault, name, network }: ActiveFault, asked: AskedQuestion): boolean {
  if (fault.type !== undefined && fault.type !== asked.type) return false;
  if (!isSubdomain(name, foldName(asked.name))) return false;
  if (network === undefined) return true;
  const ip = parseIp(asked.client);
  return ip !== undefined && cidrContains(network, ip);
}

function networkOf(client: string | undefined): Cidr | undefined {
  if (client === undefined) return undefined;
  const ip = parseIp(client);
  const network =
    ip === undefined
      ? parseCidr(client, { allowHostBits: true })
      : cidrOf(ip, ip.family === 'IPv4' ? 32 : 128);
  if (network === undefined)
    throw new PodwireError('DNS_FAULT', `client '${client}' is not an address or a CIDR`);
  return network;
}

// Compares what the core does with what a kernel did.
import { formatHostPort } from '../../src/base/ip.ts';
import { seededRandom } from '../../src/base/random.ts';
import {
  currentKernel,
  type KernelBehaviour,
  kernelBehaviour,
} from '../../src/proxy/ipvs/kernel.ts';
import type { ConnectionListing } from '../../src/proxy/ipvs/listing.ts';
import { compareLists, differs, type Mismatch } from './judge-lists.ts';
import { judgeShares, steeredRandom } from './judge-random.ts';
import { type Observation, TracePlayer } from './player.ts';
import { canonicalName } from './services.ts';
import type { ConntabRow, Trace, TraceEvent } from './trace.ts';

/** The first event that went differently. */
export interface Difference extends Mismatch {
  /** -1: before the first event. */
  readonly index: number;
  readonly event: unknown;
}

/** Recorded seconds are rounded, and events took real time: about a tenth of a second each. */
const EXPIRES_TOLERANCE_S = 2;
const EVENT_S = 0.1;
/** A template put off by 60 s was put off by a timer that may have fired 1/8 late. */
const HELD_TEMPLATE_S = 60;
const TIMER_LATENESS_FRACTION = 1 / 8;

/**
 * Judges all recordings of a trace: `events` under the kernels it is valid for (without a list, under the
 * current one), and each of `other_kernels` under its own. Undefined: all as recorded.
 */
export async function judgeTrace(trace: Trace): Promise<Difference | undefined> {
  const kernel = behaviourOf(trace.valid_for_kernels);
  const main = await judgeEvents(trace, trace.events, kernel);
  if (main !== undefined) return main;
  if (trace.random === true) return judgeShares(trace, kernel);
  for (const other of trace.other_kernels ?? []) {
    const difference = await judgeEvents(trace, other.events, behaviourOf(other.kernels));
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** Judges `events` under one kernel's behaviour. Where chance decides, it decides as recorded. */
export async function judgeEvents(
  trace: Trace,
  events: readonly TraceEvent[],
  kernel: KernelBehaviour,
): Promise<Difference | undefined> {
  const random = trace.random === true ? steeredRandom() : undefined;
  const player = new TracePlayer(trace, kernel, random ?? seededRandom(trace.id));
  try {
    const setup = compareLists(trace.list_after_setup, player.services());
    if (setup !== undefined) return { index: -1, event: 'setup', ...setup };
    for (const [index, event] of events.entries()) {
      random?.steer(player.services(), event.result);
      const observed = player.play(event);
      const difference =
        compareResults(event, observed) ??
        compareConnections(event, observed.connections, index) ??
        compareLists(event.dests, player.services());
      if (difference !== undefined) return { index, event: withoutDests(event), ...difference };
    }
    return undefined;
  } finally {
    await player.close();
  }
}

function behaviourOf(kernels: readonly string[] | undefined): KernelBehaviour {
  const version = kernels?.[0];
  return (version === undefined ? undefined : kernelBehaviour(version)) ?? currentKernel;
}

function compareResults(event: TraceEvent, observed: Observation): Mismatch | undefined {
  const { result, entry, reply_from: replyFrom } = event;
  const dest = canonicalName(entry?.dest ?? '');
  return (
    (event.op === 'conntab'
      ? undefined
      : differs('result', named(result), observed.result ?? null)) ??
    differs('error', event.error ?? null, observed.error ?? null) ??
    (entry === undefined ? undefined : differs('entry', { ...entry, dest }, observed.entry)) ??
    (event.state === undefined
      ? undefined
      : differs('state', event.state, observed.state ?? null)) ??
    differs('reply_from', named(replyFrom), observed.replyFrom ?? null)
  );
}

function named(recorded: TraceEvent['result']): unknown {
  return typeof recorded === 'string' ? canonicalName(recorded) : (recorded ?? null);
}

function compareConnections(
  event: TraceEvent,
  connections: readonly ConnectionListing[] | undefined,
  eventsSoFar: number,
): Mismatch | undefined {
  if (connections === undefined || !Array.isArray(event.result)) return undefined;
  const recorded = (event.result as readonly ConntabRow[]).map(canonicalRow).toSorted(byText);
  const shown = connections.map(conntabRow).toSorted(byText);
  const sameRows = differs('conntab', recorded.map(rowText), shown.map(rowText));
  if (sameRows !== undefined) return sameRows;
  const late = recorded.find((row, index) => {
    const ours = shown[index];
    return ours === undefined || !isExpiryClose(row, ours, eventsSoFar);
  });
  return late === undefined
    ? undefined
    : { what: `expires of ${rowText(late)}`, expected: recorded, actual: shown };
}

function isExpiryClose(recorded: ConntabRow, ours: ConntabRow, eventsSoFar: number): boolean {
  const held = recorded.c.endsWith(':0') && recorded.expires <= HELD_TEMPLATE_S;
  const later = held ? HELD_TEMPLATE_S * TIMER_LATENESS_FRACTION : 0;
  return (
    recorded.expires <= ours.expires + EXPIRES_TOLERANCE_S + later &&
    recorded.expires >= ours.expires - EXPIRES_TOLERANCE_S - eventsSoFar * EVENT_S
  );
}

function conntabRow(listing: ConnectionListing): ConntabRow {
  const text = (one: { address: string; port: number }): string =>
    formatHostPort(one.address, one.port);
  return {
    proto: listing.protocol,
    c: text(listing.client),
    v: text(listing.virtual),
    d: text(listing.destination),
    state: listing.state,
    expires: Math.round(listing.expiresInMs / 1000),
  };
}

function canonicalRow(row: ConntabRow): ConntabRow {
  const { c, v, d } = row;
  return { ...row, c: canonicalName(c), v: canonicalName(v), d: canonicalName(d) };
}

function rowText(row: ConntabRow): string {
  return `${row.proto} ${row.c} ${row.v} ${row.d} ${row.state}`;
}

function byText(a: ConntabRow, b: ConntabRow): number {
  return rowText(a) < rowText(b) ? -1 : 1;
}

function withoutDests(event: TraceEvent): unknown {
  const { dests: _, ...rest } = event;
  return rest;
}

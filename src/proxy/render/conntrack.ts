import type { Protocol } from '../../api/types/core.ts';
import type { SocketAddress } from '../flow.ts';

/** One direction of a tracked flow. */
export interface ConntrackTuple {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** What conntrack would know of a flow that a proxy forwards. */
export interface ConntrackEntry {
  readonly protocol: Protocol;
  /** Whole seconds are printed. */
  readonly expiresInMs: number;
  /** Of TCP and SCTP: `ESTABLISHED`, `TIME_WAIT` … */
  readonly state?: string;
  readonly original: ConntrackTuple;
  /** As the endpoint answers: shows where the flow went and whether its source was rewritten. */
  readonly reply: ConntrackTuple;
  readonly replied: boolean;
  readonly assured: boolean;
}

const PROTOCOL_NUMBER: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

/** `conntrack -L`, without the count that it writes to stderr. */
export function renderConntrack(entries: readonly ConntrackEntry[]): string {
  return entries.map((entry) => `${renderEntry(entry)}\n`).join('');
}

function renderEntry(entry: ConntrackEntry): string {
  const seconds = Math.max(Math.floor(entry.expiresInMs / 1000), 0);
  return [
    `${entry.protocol.toLowerCase().padEnd(8)} ${PROTOCOL_NUMBER[entry.protocol]} ${seconds}`,
    ...(entry.state === undefined ? [] : [entry.state]),
    renderTuple(entry.original),
    ...(entry.replied ? [] : ['[UNREPLIED]']),
    renderTuple(entry.reply),
    ...(entry.assured ? ['[ASSURED]'] : []),
    'mark=0 use=1',
  ].join(' ');
}

function renderTuple({ source, destination }: ConntrackTuple): string {
  return `src=${source.address} dst=${destination.address} sport=${source.port} dport=${destination.port}`;
}

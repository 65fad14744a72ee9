// Compares destination lists, as recorded and as they are here.
import { isDeepStrictEqual } from 'node:util';
import { formatHostPort } from '../../src/base/ip.ts';
import type { ServiceListing } from '../../src/proxy/ipvs/listing.ts';
import { canonicalName, serviceName } from './services.ts';
import type { DestLists, DestRow } from './trace.ts';

export interface Mismatch {
  readonly what: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

export function differs(what: string, expected: unknown, actual: unknown): Mismatch | undefined {
  return isDeepStrictEqual(expected, actual) ? undefined : { what, expected, actual };
}

/** Lists are compared by service name; a trace of one service may leave the name out. */
export function compareLists(
  expected: DestLists | undefined,
  services: readonly ServiceListing[],
): Mismatch | undefined {
  if (expected === undefined) return undefined;
  if (isRows(expected)) return differs('dests', expected.map(canonicalRow), rowsOf(services[0]));
  for (const [name, rows] of Object.entries(expected)) {
    const listing = services.find((one) => isNamed(one, name));
    const mismatch = differs(`dests of ${name}`, rows.map(canonicalRow), rowsOf(listing));
    if (mismatch !== undefined) return mismatch;
  }
  return undefined;
}

function isRows(lists: DestLists): lists is readonly DestRow[] {
  return Array.isArray(lists);
}

/** `10.96.0.1:53`, with its protocol where two services share it, or a mark in any way to write one. */
function isNamed({ id }: ServiceListing, name: string): boolean {
  if (id.kind === 'fwmark') return new RegExp(`^\\D*${id.fwmark}\\D*$`).test(name);
  const words = name.split(/[\s/]+/);
  const protocols = words.filter((word) => /^(?:tcp|udp)$/i.test(word));
  return (
    words.some((word) => canonicalName(word) === serviceName(id)) &&
    (protocols[0]?.toUpperCase() ?? id.protocol) === id.protocol
  );
}

function rowsOf(listing: ServiceListing | undefined): DestRow[] {
  return (listing?.destinations ?? []).map((one) => [
    formatHostPort(one.address, one.port),
    one.weight,
    one.activeConnections,
    one.inactiveConnections,
  ]);
}

function canonicalRow([name, ...counts]: DestRow): DestRow {
  return [canonicalName(name), ...counts];
}

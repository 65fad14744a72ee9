import type { SliceEndpoint } from '../api/types/discovery.ts';
import { formatHostPort } from '../base/ip.ts';

/** One backend of a service port. The same for every node: what is local depends on who asks. */
export interface Endpoint {
  /** Canonical text. */
  readonly address: string;
  readonly port: number;
  /** `address:port`, IPv6 in brackets: identity and sort order. */
  readonly key: string;
  /** Empty: unknown, and then local to no node. */
  readonly nodeName: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
}

const NO_HINTS: readonly string[] = [];

/** Conditions left out count as ready, serving and not terminating. */
export function endpointOf(source: SliceEndpoint, address: string, port: number): Endpoint {
  const { conditions, hints } = source;
  return {
    address,
    port,
    key: formatHostPort(address, port),
    nodeName: source.nodeName ?? '',
    ready: conditions?.ready ?? true,
    serving: conditions?.serving ?? true,
    terminating: conditions?.terminating ?? false,
    zoneHints: hints?.forZones?.map(({ name }) => name) ?? NO_HINTS,
    nodeHints: hints?.forNodes?.map(({ name }) => name) ?? NO_HINTS,
  };
}

/** What is used when nothing is ready any more (KEP-1669). */
export function isServingTerminating(endpoint: Endpoint): boolean {
  return endpoint.serving && endpoint.terminating;
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a.key === b.key &&
    a.nodeName === b.nodeName &&
    a.ready === b.ready &&
    a.serving === b.serving &&
    a.terminating === b.terminating &&
    sameTexts(a.zoneHints, b.zoneHints) &&
    sameTexts(a.nodeHints, b.nodeHints)
  );
}

export function sameEndpoints(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return (
    a === b ||
    (a.length === b.length &&
      a.every((endpoint, index) => sameEndpoint(endpoint, b[index] as Endpoint)))
  );
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((text, index) => text === b[index]));
}

import type { ClosedConnection, ClosedConnections } from './closed-connections.ts';
import type { TrackedConnection } from './connection-routes.ts';
import type { SocketAddress } from './flow.ts';
import type { ConntrackEntry } from './render/conntrack.ts';
import type { UdpFlow } from './udp/udp-forwarder.ts';

/** One node's forwarded flows. */
export interface ForwardedFlows {
  readonly connections: Iterable<TrackedConnection>;
  readonly closedConnections: ClosedConnections;
  readonly udpFlows: Iterable<UdpFlow>;
}

/**
 * How long conntrack keeps a silent TCP entry: nf_conntrack_tcp_timeout_*, with kube-proxy's
 * --conntrack-tcp-timeout-established and -close-wait.
 */
const TIMEOUT_MS: Readonly<Record<TrackedConnection['state'], number>> = {
  SYN_SENT: 120_000,
  ESTABLISHED: 86_400_000,
  CLOSE_WAIT: 3_600_000,
};

/**
 * What conntrack would list of a node's flows: TCP first, each kind oldest first. As many as the forwarder's limits
 * let exist, and the connections that ended last. An open connection that was silent for its whole timeout shows 0:
 * its sockets are still there.
 */
export function conntrackEntries(flows: ForwardedFlows, nowMs: number): ConntrackEntry[] {
  return [
    ...flows.closedConnections
      .listed(nowMs)
      .map(({ connection, leftMs }) => closedEntry(connection, leftMs)),
    ...Array.from(flows.connections, (one) => openEntry(one, nowMs)),
    ...Array.from(flows.udpFlows, (flow) => udpEntry(flow, nowMs)),
  ];
}

function openEntry(tracked: TrackedConnection, nowMs: number): ConntrackEntry {
  const { connection, endpoint, seenAs, state, lastActiveMs } = tracked;
  const answered = state !== 'SYN_SENT';
  return {
    protocol: 'TCP',
    expiresInMs: lastActiveMs + TIMEOUT_MS[state] - nowMs,
    state,
    ...tuples(connection.source, connection.destination, endpoint, seenAs),
    replied: answered,
    assured: answered,
  };
}

function closedEntry(closed: ClosedConnection, leftMs: number): ConntrackEntry {
  const { source, destination, endpoint, seenAs, state, assured } = closed;
  return {
    protocol: 'TCP',
    expiresInMs: leftMs,
    state,
    ...tuples(source, destination, endpoint, seenAs),
    replied: true,
    assured,
  };
}

function udpEntry(flow: UdpFlow, nowMs: number): ConntrackEntry {
  const { expiresAt, replied, assured } = flow.state;
  return {
    protocol: 'UDP',
    expiresInMs: expiresAt - nowMs,
    ...tuples(flow.client, flow.destination, flow.endpoint, flow.source),
    replied,
    assured,
  };
}

/** The client's port stands in the answer too: netfilter keeps it where it is free. */
function tuples(
  source: SocketAddress,
  destination: SocketAddress,
  endpoint: SocketAddress,
  seenAs: string,
): Pick<ConntrackEntry, 'original' | 'reply'> {
  return {
    original: { source, destination },
    reply: { source: endpoint, destination: { address: seenAs, port: source.port } },
  };
}

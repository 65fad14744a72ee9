import type { RoutingTable } from '../services/routing-table.ts';
import type { Decision, Flow, Trace } from './flow.ts';

export type ProxyModeName = 'iptables' | 'userspace' | 'nftables' | 'ipvs';

/**
 * One way of balancing, on one node. Keeps what must outlive a table (round-robin positions, affinity,
 * connection counts); the table itself is replaced whole on every change.
 */
export interface ProxyMode {
  readonly name: ProxyModeName;
  /** Takes the new state of the world. Flows decided from now on follow it. */
  update(table: RoutingTable): void;
  /**
   * Where a new flow goes. Synchronous, no I/O; with `trace` it also tells why. A `forward` counts as a
   * connection until its binding hears `closed`.
   */
  decide(flow: Flow, trace?: Trace): Decision;
}

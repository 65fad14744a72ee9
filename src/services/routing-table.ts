import type { Protocol } from '../api/types/core.ts';

/** `namespace/name[:portName]` and protocol: kube-proxy's unit of work. */
export interface ServicePortName {
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
  readonly protocol: Protocol;
}

/** Everything one node's proxy needs to decide, as of one moment. Immutable: swapped, never changed. */
export interface RoutingTable {
  /** Grows by one with every table built on this node. */
  readonly version: number;
}

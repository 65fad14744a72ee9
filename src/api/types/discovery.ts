import type { ObjectReference, Protocol } from './core.ts';
import type { KubeObject } from './meta.ts';

/** discovery.k8s.io/v1. */

export interface EndpointConditions {
  /** Absent counts as true. */
  ready?: boolean;
  /** Absent counts as true. */
  serving?: boolean;
  /** Absent counts as false. */
  terminating?: boolean;
}

export interface EndpointHints {
  forZones?: { name: string }[];
  forNodes?: { name: string }[];
}

export interface SliceEndpoint {
  addresses: string[];
  conditions?: EndpointConditions;
  hostname?: string;
  nodeName?: string;
  zone?: string;
  hints?: EndpointHints;
  targetRef?: ObjectReference;
  deprecatedTopology?: Record<string, string>;
}

export interface SlicePort {
  name?: string;
  port?: number;
  protocol?: Protocol;
  appProtocol?: string;
}

export interface EndpointSlice extends KubeObject {
  addressType: 'IPv4' | 'IPv6' | 'FQDN';
  endpoints?: SliceEndpoint[] | null;
  ports?: SlicePort[] | null;
}

/** The label that ties a slice to its Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Who maintains a slice. */
export const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';

import type { Protocol } from '../api/types/core.ts';

/** kube-proxy's unit of work. TCP and UDP on one port number are two units. */
export interface ServicePortName {
  readonly namespace: string;
  readonly name: string;
  /** Empty for the only port of a Service that did not name it. */
  readonly port: string;
  readonly protocol: Protocol;
}

/** `namespace/name`, with `:portName` when the port has a name (pkg/proxy/types.go). */
export function formatServicePortName(name: ServicePortName): string {
  const service = `${name.namespace}/${name.name}`;
  return name.port === '' ? service : `${service}:${name.port}`;
}

/** `namespace/name` of a Service: what slices and ports are grouped by. */
export function serviceKey(meta: {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}): string {
  return `${meta.namespace ?? 'default'}/${meta.name ?? ''}`;
}

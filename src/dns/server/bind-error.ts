import { errorCode, errorMessage, PodwireError } from '../../base/errors.ts';
import { formatHostPort } from '../../base/ip.ts';

export interface BoundAddress {
  readonly address: string;
  readonly port: number;
}

/** Why a socket could not be had, and what to do about it. Code `DNS_BIND`. */
export function bindError(
  error: unknown,
  transport: 'TCP' | 'UDP',
  address: string,
  port: number,
): PodwireError {
  const where = `${transport} ${formatHostPort(address, port)}`;
  return new PodwireError('DNS_BIND', `cannot listen on ${where}: ${remedy(error)}`, {
    cause: error,
  });
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES:
    'ports below net.ipv4.ip_unprivileged_port_start (usually 1024) need privileges; use a higher port or lower that sysctl',
  EADDRINUSE: 'another program listens there; stop it or use another port',
  EADDRNOTAVAIL: 'this machine has no such address',
};

function remedy(error: unknown): string {
  const code = errorCode(error) ?? '';
  return REMEDIES[code] ?? errorMessage(error);
}

import { formatHostPort } from '../base/ip.ts';

/** A place a listener should be: protocol, address, port. */
export interface Spot {
  readonly protocol: 'TCP' | 'UDP';
  readonly address: string;
  readonly port: number;
}

/** What a listener is for. */
export interface ListenPurpose {
  readonly kind: 'traffic' | 'health-check';
  /** `namespace/name` of the Service. */
  readonly service: string;
  /** For people: `default/web:http`. */
  readonly text: string;
}

/** A listener that could not be opened. It is tried again; `solved` tells when it worked. */
export interface ListenProblem {
  readonly spot: Spot;
  /** Every Service that wants it. */
  readonly purposes: readonly ListenPurpose[];
  /** The system's: EACCES, EADDRINUSE, EADDRNOTAVAIL, EMFILE, … */
  readonly code: string;
  /** One sentence for people, with what to do. */
  readonly message: string;
}

const REMEDIES: Readonly<Record<string, (spot: Spot) => string>> = {
  EACCES: ({ port }) =>
    `ports below 1024 are privileged: run as root, or allow them with "sysctl -w net.ipv4.ip_unprivileged_port_start=${port}", or choose a higher port`,
  EADDRINUSE: () =>
    'another process listens there: stop it or choose another port; podwire takes the port as soon as it is free',
  EADDRNOTAVAIL: ({ address }) =>
    `${address} is not an address of this machine: use an address in 127.0.0.0/8, or add it to an interface`,
  EMFILE: () => 'the process has no file descriptors left: raise the limit with "ulimit -n"',
  ENFILE: () => 'the system has no file descriptors left: raise fs.file-max',
};

export function listenProblem(
  spot: Spot,
  purposes: readonly ListenPurpose[],
  code: string,
): ListenProblem {
  const where = `${formatHostPort(spot.address, spot.port)}/${spot.protocol}`;
  const remedy = REMEDIES[code]?.(spot) ?? 'it is tried again';
  const wanted = new Set(purposes.map(({ text }) => text));
  const message = `cannot listen on ${where} for ${[...wanted].join(', ')}: ${code}: ${remedy}`;
  return { spot, purposes, code, message };
}

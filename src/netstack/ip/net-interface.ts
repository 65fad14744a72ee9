import type { MacAddress } from '../../wire/mac.ts';

export interface InterfaceConfig {
  /** As `ip link` shows it, such as `flannel.1`. Unique in a stack. */
  readonly name: string;
  readonly mac: MacAddress;
  /** IPv4 header and payload, 576..65,535. */
  readonly mtuBytes: number;
  /** Room left before the Ethernet header of every packet emitted, for an encapsulation. Default 0. */
  readonly headroomBytes?: number;
  /**
   * Accept TCP and UDP whose checksum field holds only the pseudo-header sum, which a kernel with
   * transmit offload on a virtual link leaves there. Default false: counted and dropped.
   */
  readonly acceptPartialChecksums?: boolean;
}

export interface InterfaceCounters {
  receivedPackets: number;
  receivedBytes: number;
  sentPackets: number;
  sentBytes: number;
  /** Received TCP and UDP with a partial checksum, accepted or not. */
  partialChecksums: number;
  /** Received IPv4 packets above the MTU: segments that a sender's offload never cut up. */
  oversized: number;
}

/** One link of a stack: identity, limits and counters. */
export interface NetInterface extends Required<InterfaceConfig> {
  readonly kind: 'ethernet' | 'loopback';
  readonly counters: InterfaceCounters;
}

const MIN_MTU = 576;
const MAX_MTU = 65_535;

export function createInterface(config: InterfaceConfig): NetInterface {
  const { mtuBytes } = config;
  if (!Number.isInteger(mtuBytes) || mtuBytes < MIN_MTU || mtuBytes > MAX_MTU)
    throw new RangeError(
      `interface ${config.name}: mtuBytes ${mtuBytes} is outside ${MIN_MTU}..${MAX_MTU}`,
    );
  return build('ethernet', config);
}

/** Carries what a stack sends to its own addresses. */
export function createLoopback(): NetInterface {
  return build('loopback', { name: 'lo', mac: 0, mtuBytes: MAX_MTU });
}

function build(kind: NetInterface['kind'], config: InterfaceConfig): NetInterface {
  return {
    kind,
    name: config.name,
    mac: config.mac,
    mtuBytes: config.mtuBytes,
    headroomBytes: config.headroomBytes ?? 0,
    acceptPartialChecksums: config.acceptPartialChecksums ?? false,
    counters: {
      receivedPackets: 0,
      receivedBytes: 0,
      sentPackets: 0,
      sentBytes: 0,
      partialChecksums: 0,
      oversized: 0,
    },
  };
}

import { formatIpv4, parseIpv4 } from '../../base/ip.ts';

/** The Service every scenario is about. */
export const SERVICE_ADDRESS = '127.96.0.80';
export const SERVICE_PORT = 80;

/** Unusual, since a server on all addresses of the machine would have a usual one. */
const POD_PORT = 18_080;
/** 127.246.0.0/16, 250 pods a /24: not the 127.244.0.0/16 of a cluster that may run beside. */
const POD_BASE = 0x7ff6_0000;
/** 127.20.0.0/14: clients outside the cluster. */
const SOURCE_BASE = 0x7f14_0000;
const SOURCES_PER_BLOCK = 250;
const PODS_PER_NODE = 250;
const FIRST_POD = 2;

export interface PodAddress {
  readonly address: string;
  readonly port: number;
}

/** Address of the `index`-th backend. */
export function podAddress(index: number): PodAddress {
  const block = Math.floor(index / PODS_PER_NODE);
  return {
    address: formatIpv4(POD_BASE + block * 256 + FIRST_POD + (index % PODS_PER_NODE)),
    port: POD_PORT,
  };
}

/** The inverse of {@link podAddress}. */
export function podIndex(address: string): number {
  const offset = (parseIpv4(address) ?? POD_BASE) - POD_BASE;
  return Math.floor(offset / 256) * PODS_PER_NODE + (offset % 256) - FIRST_POD;
}

/** Address of the `index`-th source, `.1` to `.250` of each /24. */
export function sourceAddress(index: number): string {
  const block = Math.floor(index / SOURCES_PER_BLOCK);
  return formatIpv4(SOURCE_BASE + block * 256 + 1 + (index % SOURCES_PER_BLOCK));
}

/** The inverse of {@link sourceAddress}; 0 for any other address. */
export function sourceIndex(address: string): number {
  const offset = (parseIpv4(address) ?? 0) - SOURCE_BASE - 1;
  return offset < 0 ? 0 : Math.floor(offset / 256) * SOURCES_PER_BLOCK + (offset % 256);
}

const FIRST_EPHEMERAL = 32_768;
const EPHEMERAL_PORTS = 28_232;
/** Coprime to the number of ports: visits every one before any twice, in no visible order. */
const PORT_STRIDE = 10_007;

/** Source port of the `count`-th connection, from Linux's ephemeral range. */
export function ephemeralPort(count: number): number {
  return FIRST_EPHEMERAL + ((count * PORT_STRIDE) % EPHEMERAL_PORTS);
}

/** 127.19.0.2, beside the node network of a cluster (127.18.0.0/16). */
const NODE_BASE = 0x7f13_0002;

export function nodeAddress(index: number): string {
  return formatIpv4(NODE_BASE + index);
}

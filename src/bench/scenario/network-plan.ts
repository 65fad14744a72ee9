import { formatIpv4 } from '../../base/ip.ts';

/** The Service every scenario is about. */
export const SERVICE_ADDRESS = '127.96.0.80';
export const SERVICE_PORT = 80;

const POD_PORT = 8080;
/** 127.244.0.0: the pod network of the loopback plan, docs/differences.md; a /24 a node, 250 pods each. */
const POD_BASE = 0x7ff4_0000;
/** 127.20.0.0/14: clients outside the cluster. */
const SOURCE_BASE = 0x7f14_0000;
const PODS_PER_NODE = 250;
const FIRST_POD = 2;

export interface PodAddress {
  readonly address: string;
  readonly port: number;
}

/** Address of the `index`-th backend. Beyond 64,000 the second octet is left. */
export function podAddress(index: number): PodAddress {
  const block = Math.floor(index / PODS_PER_NODE);
  return {
    address: formatIpv4(POD_BASE + block * 256 + FIRST_POD + (index % PODS_PER_NODE)),
    port: POD_PORT,
  };
}

/** Address of the `index`-th source, `.1` to `.250` of each /24. */
export function sourceAddress(index: number): string {
  return formatIpv4(SOURCE_BASE + Math.floor(index / 250) * 256 + 1 + (index % 250));
}

const FIRST_EPHEMERAL = 32_768;
const EPHEMERAL_PORTS = 28_232;
/** Coprime to the number of ports: visits every one before any twice, in no visible order. */
const PORT_STRIDE = 10_007;

/** Source port of the `count`-th connection, from Linux's ephemeral range. */
export function ephemeralPort(count: number): number {
  return FIRST_EPHEMERAL + ((count * PORT_STRIDE) % EPHEMERAL_PORTS);
}

/** 127.18.0.2: the first node of the loopback plan. */
const NODE_BASE = 0x7f12_0002;

export function nodeAddress(index: number): string {
  return formatIpv4(NODE_BASE + index);
}

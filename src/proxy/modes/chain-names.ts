import { createHash } from 'node:crypto';
import { formatServicePortName, type ServicePortName } from '../../services/service-port-name.ts';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const CHAIN_HASH_LENGTH = 16;

export type ServiceChainKind = 'SVC' | 'SVL' | 'EXT' | 'FW';

/**
 * Chain names of the iptables proxier: KUBE-SVC- (Cluster policy), KUBE-SVL- (Local policy), KUBE-EXT- (from
 * outside), KUBE-FW- (source ranges) and KUBE-SEP- (one endpoint), each with a hash of what it is for.
 */
export function serviceChain(kind: ServiceChainKind, name: ServicePortName): string {
  return `KUBE-${kind}-${base32Hash(hashInput(name), CHAIN_HASH_LENGTH)}`;
}

export function endpointChain(name: ServicePortName, endpointKey: string): string {
  return `KUBE-SEP-${base32Hash(`${hashInput(name)}${endpointKey}`, CHAIN_HASH_LENGTH)}`;
}

/** The first `length` characters of RFC 4648 base32 over SHA-256. */
export function base32Hash(text: string, length: number): string {
  const digest = createHash('sha256').update(text).digest();
  let result = '';
  for (let index = 0; index < length; index += 1) {
    const bit = index * 5;
    const pair = ((digest[bit >> 3] ?? 0) << 8) | (digest[(bit >> 3) + 1] ?? 0);
    result += BASE32[(pair >> (11 - (bit & 7))) & 31] ?? '';
  }
  return result;
}

function hashInput(name: ServicePortName): string {
  return formatServicePortName(name) + name.protocol.toLowerCase();
}

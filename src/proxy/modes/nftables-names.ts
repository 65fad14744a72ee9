import type { ServicePortName } from '../../services/service-port-name.ts';
import { base32Hash } from './chain-names.ts';

/** Longest name without its prefix; nft stops at 256. */
const MAX_LENGTH = 240;
const HASH_LENGTH = 8;

export type NftServiceChainKind = 'service' | 'local' | 'external' | 'firewall';

/** `service-ULMVA6XW-ns1/svc1/tcp/p80`: the hash tells names apart, the rest is for people. */
export function nftServiceChain(kind: NftServiceChainKind, name: ServicePortName): string {
  return `${kind}-${hashAndTruncate(baseName(name))}`;
}

/** The chain of an endpoint, or its affinity set. */
export function nftEndpointName(
  kind: 'endpoint' | 'affinity',
  name: ServicePortName,
  endpoint: { readonly address: string; readonly port: number },
): string {
  // Colons are not allowed in names.
  const address = endpoint.address.replaceAll(':', '.');
  return `${kind}-${hashAndTruncate(`${baseName(name)}__${address}/${endpoint.port}`)}`;
}

function baseName(name: ServicePortName): string {
  return `${name.namespace}/${name.name}/${name.protocol.toLowerCase()}/${name.port}`;
}

function hashAndTruncate(text: string): string {
  const name = `${base32Hash(text, HASH_LENGTH)}-${text}`;
  return name.length > MAX_LENGTH ? `${name.slice(0, MAX_LENGTH - 3)}...` : name;
}

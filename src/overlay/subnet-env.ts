import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Cidr, formatCidr, formatIp, parseCidr } from '../base/ip.ts';
import { addressPlus, firstAddress } from '../ipam/address-range.ts';

/** What flannel tells the CNI plugin of its node. */
export interface SubnetEnv {
  readonly ipv4?: { readonly network: Cidr; readonly subnet: Cidr };
  readonly ipv6?: { readonly network: Cidr; readonly subnet: Cidr };
  readonly mtu: number;
  readonly ipMasq: boolean;
}

/** The subnet is written with its first usable address, which is the bridge's. */
export function formatSubnetEnv(env: SubnetEnv): string {
  const lines: string[] = [];
  if (env.ipv4 !== undefined) {
    lines.push(`FLANNEL_NETWORK=${formatCidr(env.ipv4.network)}`);
    lines.push(`FLANNEL_SUBNET=${gatewayOf(env.ipv4.subnet)}`);
  }
  if (env.ipv6 !== undefined) {
    lines.push(`FLANNEL_IPV6_NETWORK=${formatCidr(env.ipv6.network)}`);
    lines.push(`FLANNEL_IPV6_SUBNET=${gatewayOf(env.ipv6.subnet)}`);
  }
  lines.push(`FLANNEL_MTU=${env.mtu}`, `FLANNEL_IPMASQ=${env.ipMasq}`, '');
  return lines.join('\n');
}

/** Replaces `path` in one step, so that no reader sees half of it; makes its folder. Throws as node:fs does. */
export function writeSubnetEnv(path: string, env: SubnetEnv): void {
  const unfinished = `${path}.unfinished`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileSync(unfinished, formatSubnetEnv(env), { mode: 0o644 });
  renameSync(unfinished, path);
}

/** The subnets that an earlier life of the node wrote down; none where there is no such file, or another's. */
export function readSubnets(path: string): Cidr[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // First start, or not ours to read: then any subnet will do.
    return [];
  }
  return [...text.matchAll(/^FLANNEL_(?:IPV6_)?SUBNET=(.+)$/gm)].flatMap(
    ([, cidr = '']) => parseCidr(cidr, { allowHostBits: true }) ?? [],
  );
}

function gatewayOf(subnet: Cidr): string {
  return `${formatIp(addressPlus(firstAddress(subnet), 1))}/${subnet.prefixLength}`;
}

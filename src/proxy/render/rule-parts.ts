import type { IpFamilyName } from '../../api/types/core.ts';
import { type Cidr, formatCidr } from '../../base/ip.ts';
import type { Frontend } from '../../services/routing-table.ts';
import type { LocalDetector } from '../node-context.ts';

// Matches and targets in the spelling and order of iptables-save.

/** iptables-save escapes what a shell would take for a quote. */
export function comment(text: string): string {
  return `-m comment --comment "${text.replaceAll("'", "\\'")}"`;
}

export function fromCidr(cidr: Cidr): string {
  return `-s ${formatCidr(cidr)}`;
}

/** What matches packets of pods, and what matches all others; none without a detector (LocalTrafficDetector). */
export function podMatches(
  detector: LocalDetector | undefined,
  family: IpFamilyName,
): { readonly from: string; readonly notFrom: string }[] {
  if (detector?.interfaceName !== undefined) {
    const wildcard = detector.mode === 'InterfaceNamePrefix' ? '+' : '';
    const match = `-i ${detector.interfaceName}${wildcard}`;
    return [{ from: match, notFrom: `! ${match}` }];
  }
  return (detector?.cidrs ?? [])
    .filter((cidr) => cidr.family === family)
    .map(fromCidr)
    .map((match) => ({ from: match, notFrom: `! ${match}` }));
}

export function toAddress(address: string): string {
  return `-d ${address}/${address.includes(':') ? 128 : 32}`;
}

export function fromAddress(address: string): string {
  return `-s ${address}/${address.includes(':') ? 128 : 32}`;
}

/** What a frontend's packets are for: address, protocol, a comment and the port. */
export function toFrontend(frontend: Frontend, text: string): string[] {
  const protocol = frontend.protocol.toLowerCase();
  return [
    ...(frontend.address === undefined ? [] : [toAddress(frontend.address)]),
    `-p ${protocol}`,
    comment(text),
    `-m ${protocol} --dport ${frontend.port}`,
  ];
}

export const TO_LOCAL = '-m addrtype --dst-type LOCAL';
export const FROM_LOCAL = '-m addrtype --src-type LOCAL';
export const MARK_MASQ = '-j KUBE-MARK-MASQ';

export function recentMatch(
  action: '--rcheck' | '--set',
  list: string,
  options: {
    readonly seconds?: number;
    readonly ipv6: boolean;
  },
): string {
  const window = options.seconds === undefined ? '' : ` --seconds ${options.seconds} --reap`;
  const mask = options.ipv6 ? 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' : '255.255.255.255';
  return `-m recent ${action}${window} --name ${list} --mask ${mask} --rsource`;
}

/** xt_statistic keeps 31 bits of the probability; iptables-save prints those with eleven decimals. */
export function statisticMatch(endpointsLeft: number): string {
  const written = Number((1 / endpointsLeft).toFixed(10));
  const kept = Math.round(written * 0x8000_0000) / 0x8000_0000;
  return `-m statistic --mode random --probability ${kept.toFixed(11)}`;
}

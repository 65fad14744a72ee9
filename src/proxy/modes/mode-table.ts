import type { ProxyMode, ProxyModeName } from '../proxy-mode.ts';
import { createIptablesMode } from './iptables-mode.ts';
import { IpvsMode } from './ipvs-mode.ts';
import type { ModeOptions } from './mode-options.ts';
import { createNftablesMode } from './nftables-mode.ts';
import { UserspaceMode } from './userspace-mode.ts';

/** Every `--proxy-mode`. */
export const PROXY_MODES: Readonly<Record<ProxyModeName, (options: ModeOptions) => ProxyMode>> = {
  iptables: createIptablesMode,
  nftables: createNftablesMode,
  ipvs: (options) => new IpvsMode(options),
  userspace: (options) => new UserspaceMode(options),
};

export function isProxyModeName(text: string): text is ProxyModeName {
  return Object.hasOwn(PROXY_MODES, text);
}

import type { ProxyMode, ProxyModeName } from '../proxy-mode.ts';
import { createIptablesMode } from './iptables-mode.ts';
import type { ModeOptions } from './mode-options.ts';
import { createNftablesMode } from './nftables-mode.ts';
import { UserspaceMode } from './userspace-mode.ts';

/** Every `--proxy-mode`. */
export const PROXY_MODES: Readonly<
  Partial<Record<ProxyModeName, (options: ModeOptions) => ProxyMode>>
> = {
  iptables: createIptablesMode,
  nftables: createNftablesMode,
  userspace: (options) => new UserspaceMode(options),
};

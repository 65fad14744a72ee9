import type { ProxyMode, ProxyModeName } from '../proxy-mode.ts';
import { IptablesMode } from './iptables-mode.ts';
import type { ModeOptions } from './mode-options.ts';
import { UserspaceMode } from './userspace-mode.ts';

/** Every `--proxy-mode`. */
export const PROXY_MODES: Readonly<
  Partial<Record<ProxyModeName, (options: ModeOptions) => ProxyMode>>
> = {
  iptables: (options) => new IptablesMode(options),
  userspace: (options) => new UserspaceMode(options),
};

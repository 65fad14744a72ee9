import { kubernetes } from '../plugins/kubernetes/setup.ts';
import type { PluginModule } from './setup.ts';

/**
 * All plugins in the order queries pass them. The order is CoreDNS's plugin.cfg and does not depend on
 * the Corefile: cache sits above kubernetes, rewrite above cache, fallthrough goes downwards.
 */
export const pluginModules: readonly PluginModule[] = [kubernetes];

import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { LogStore, type SyncPolicy } from './log-store.ts';
import { MemoryStore } from './memory-store.ts';
import type { Store } from './store.ts';

/** Where a control plane keeps its objects. */
export type StoreConfig =
  | { readonly kind: 'memory' }
  /** Below this directory (`--data-dir`). */
  | { readonly kind: 'log'; readonly dataDirectory: string; readonly sync?: SyncPolicy }
  /** `--etcd`. */
  | { readonly kind: 'etcd'; readonly endpoints: readonly string[] };

/** Throws PodwireErrors: `store-locked`, `store-corrupt`, `store-failed`. */
export async function openStore(
  config: StoreConfig,
  options: { readonly clock: Clock; readonly logger: Logger },
): Promise<Store> {
  switch (config.kind) {
    case 'memory':
      return new MemoryStore();
    case 'log':
      return LogStore.open({
        directory: join(config.dataDirectory, 'store'),
        logger: options.logger,
        sync: config.sync ?? 'always',
      });
    case 'etcd': {
      // etcd's client takes longer to load than everything else: only who asks for it waits.
      const { EtcdStore } = await import('./etcd-store.ts');
      return EtcdStore.open({ endpoints: config.endpoints, ...options });
    }
  }
}

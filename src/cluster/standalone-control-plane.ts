import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { seededRandom } from '../base/random.ts';
import { ControlPlane } from '../controlplane/control-plane.ts';
import { openStore, type StoreConfig } from '../controlplane/store/open-store.ts';
import { type ApiAccess, openApi } from './api-access.ts';
import type { ClusterConfig } from './cluster-config.ts';
import { controlPlaneConfig } from './control-plane-config.ts';

export interface StandaloneControlPlane extends AsyncDisposable {
  readonly url: string;
  readonly insecureUrl: string | undefined;
  close(): Promise<void>;
}

/** `podwire apiserver`: store, API and controllers, no nodes. Throws PodwireErrors. */
export async function startStandaloneControlPlane(
  config: ClusterConfig,
  options: {
    readonly clock: Clock;
    readonly log: Logger;
    readonly store: StoreConfig;
    readonly api: ApiAccess;
  },
): Promise<StandaloneControlPlane> {
  const { clock, log } = options;
  const controlPlane = await ControlPlane.start({
    clock,
    random: seededRandom(config.seed).fork('control-plane'),
    logger: log,
    metrics: createMetrics(),
    config: controlPlaneConfig(config, options.api.listen.port),
    store: await openStore(options.store, { clock, logger: log }),
  });
  try {
    const { url, insecureUrl } = await openApi(controlPlane, options.api);
    return {
      url,
      insecureUrl,
      close: () => controlPlane.close(),
      [Symbol.asyncDispose]: () => controlPlane[Symbol.asyncDispose](),
    };
  } catch (error) {
    await controlPlane[Symbol.asyncDispose]();
    throw error;
  }
}

import { SERVICE_NAME_LABEL, type EndpointSlice } from '../../../api/types/discovery.ts';
import { sleep } from '../../../base/clock.ts';
import { CorefileError } from '../../corefile/corefile-error.ts';
import type { Directive } from '../../corefile/parse-corefile.ts';
import { once, type PluginModule } from '../../plugin/setup.ts';
import type { DnsSource } from '../../source/dns-source.ts';
import { KubernetesMetrics } from './kubernetes-metrics.ts';
import { KubernetesView } from './kubernetes-view.ts';
import { ExternalLookup } from './external.ts';
import type { Lookup } from './find-records.ts';
import { describeQuery } from './metadata.ts';
import { kubernetesTransferer } from './transfer.ts';
import { joinName, matchingZone } from '../../message/name.ts';
import { KubernetesPlugin } from './kubernetes.ts';
import type { KubernetesOptions } from './options.ts';
import { parseOptions } from './parse-options.ts';

const SYNC_LOG_INTERVAL_MS = 500;
const SYNC_POLL_MS = 100;

export const kubernetes: PluginModule = {
  name: 'kubernetes',
  setup(directives, context) {
    const directive: Directive = once(directives);
    const { clock, log, source, families } = context;
    if (source === undefined)
      throw new CorefileError(
        directive.name,
        'plugin/kubernetes: there is no cluster to read; start the server with one or with manifests',
      );
    const options = parseOptions(directive, context.zones);
    const view = new KubernetesView(options, clock);
    const metrics = new KubernetesMetrics(families, clock);
    const watches = new Watches({ source, view, options, metrics });
    const { localAddresses } = context;
    const lookup = { view, options, localAddresses };
    const isSynced = (): boolean => watches.synced;
    let started = false;
    return {
      plugin: new KubernetesPlugin(lookup, isSynced),
      transferer: kubernetesTransferer(lookup),
      external: new ExternalLookup(view, options.ttlSeconds, isSynced),
      searchPaths: { searchPath: (client, name) => searchPathOf(lookup, client, name) },
      describe: (request) => describeQuery(lookup, request),
      // Not before the sockets are open, which comes next.
      ready: () => started && watches.synced,
      // Serves as soon as everything was read, or unsynced after the timeout.
      async start() {
        watches.start();
        const deadline = clock.now() + options.startupTimeoutMs;
        let nextLogAt = clock.now() + SYNC_LOG_INTERVAL_MS;
        while (!watches.synced && clock.now() < deadline) {
          await sleep(clock, SYNC_POLL_MS);
          if (clock.now() < nextLogAt) continue;
          nextLogAt += SYNC_LOG_INTERVAL_MS;
          log.info('waiting for Kubernetes API before starting server');
        }
        if (!watches.synced) log.warn('starting server with unsynced Kubernetes API');
        started = true;
      },
      close() {
        watches.stop();
        return Promise.resolve();
      },
    };
  },
};

/** The domains a pod completes names with; undefined when the client is no pod we know. */
function searchPathOf(lookup: Lookup, client: string, name: string): string[] | undefined {
  const { view, options } = lookup;
  const zone = matchingZone(options.zones, name);
  const [pod] = options.pods === 'verified' ? view.podsByIp(client) : [];
  if (zone === undefined || pod === undefined) return undefined;
  return [joinName(`${pod.namespace}.svc`, zone), joinName('svc', zone), zone];
}

/** Feeds the view from the source; only the kinds the options need are watched. */
class Watches {
  readonly #source: DnsSource;
  readonly #view: KubernetesView;
  readonly #options: KubernetesOptions;
  readonly #metrics: KubernetesMetrics;
  #running: { stop(): void }[] = [];
  #unsynced = Number.POSITIVE_INFINITY;

  constructor(parts: {
    readonly source: DnsSource;
    readonly view: KubernetesView;
    readonly options: KubernetesOptions;
    readonly metrics: KubernetesMetrics;
  }) {
    this.#source = parts.source;
    this.#view = parts.view;
    this.#options = parts.options;
    this.#metrics = parts.metrics;
  }

  get synced(): boolean {
    return this.#unsynced === 0;
  }

  start(): void {
    const view = this.#view;
    const { endpoints, pods, multiclusterZones } = this.#options;
    const multicluster = multiclusterZones.length > 0;
    this.#unsynced = 2 + Number(endpoints) + Number(pods === 'verified') + Number(multicluster);
    const synced = (): void => {
      this.#unsynced -= 1;
    };
    this.#running = [
      this.#source.watch('namespaces', {
        set: (object) => view.setNamespace(object),
        delete: (object) => view.deleteNamespace(object),
        synced,
      }),
      this.#source.watch('services', {
        set: (object) => view.setService(object),
        delete: (object) => view.deleteService(object),
        synced,
      }),
    ];
    if (endpoints)
      this.#running.push(
        this.#source.watch('endpointslices', {
          set: (object) => this.#setSlice(object),
          delete: (object) => view.deleteSlice(object),
          synced,
        }),
      );
    if (pods === 'verified')
      this.#running.push(
        this.#source.watch('pods', {
          set: (object) => view.setPod(object),
          delete: (object) => view.deletePod(object),
          synced,
        }),
      );
    if (multicluster)
      this.#running.push(
        this.#source.watch('serviceimports', {
          set: (object) => view.setServiceImport(object),
          delete: (object) => view.deleteServiceImport(object),
          synced,
        }),
      );
  }

  #setSlice(slice: EndpointSlice): void {
    this.#view.setSlice(slice);
    // What was there before is no change that somebody waits for.
    if (!this.synced) return;
    const { namespace = 'default', labels } = slice.metadata;
    const service = this.#view.services.get(namespace, labels?.[SERVICE_NAME_LABEL] ?? '');
    this.#metrics.sliceChanged(slice, service?.kind === 'headless');
  }

  stop(): void {
    for (const watch of this.#running) watch.stop();
    this.#running = [];
  }
}

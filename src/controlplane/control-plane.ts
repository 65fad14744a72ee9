import type { ManifestObject } from '../api/manifest.ts';
import type { Clock } from '../base/clock.ts';
import type { Cidr } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import { DEFAULT_NODE_PORT_RANGE, NodePortAllocator, type PortRange } from '../ipam/node-ports.ts';
import type { LbPoolConfig } from '../ipam/lb-pool.ts';
import type { ClusterCidr } from '../ipam/node-cidrs.ts';
import { ServiceIpAllocator } from '../ipam/service-ips.ts';
import { type Applied, applyObject } from './apply-object.ts';
import {
  type ApiServerConfig,
  type RunningApiServer,
  startApiServer,
} from './apiserver/start-api-server.ts';
import { bootstrap } from './bootstrap.ts';
import type { Client } from './client/client.ts';
import { Informers } from './client/informers.ts';
import type { ControllerContext } from './controllers/controller-context.ts';
import { startDeploymentController } from './controllers/deployment-controller.ts';
import { startEndpointSliceController } from './controllers/endpoint-slice-controller.ts';
import { startEndpointSliceMirroring } from './controllers/endpoint-slice-mirroring.ts';
import { startEndpointsController } from './controllers/endpoints-controller.ts';
import { startDaemonSetController } from './controllers/daemon-set-controller.ts';
import { startDisruptionController } from './controllers/disruption-controller.ts';
import { startEventExpiry } from './controllers/event-expiry.ts';
import { startGarbageCollector } from './controllers/garbage-collector.ts';
import { startIpAddressController } from './controllers/ip-address-controller.ts';
import { startNamespaceController } from './controllers/namespace-controller.ts';
import { startNodeIpamController } from './controllers/node-ipam.ts';
import { startNodeLifecycleController } from './controllers/node-lifecycle.ts';
import {
  DEFAULT_NODE_LIFECYCLE,
  type NodeLifecycleConfig,
} from './controllers/node-lifecycle-config.ts';
import { startServiceLoadBalancer } from './controllers/service-load-balancer.ts';
import { startStatefulSetController } from './controllers/stateful-set-controller.ts';
import { startTaintEvictionController } from './controllers/taint-eviction.ts';
import {
  startReplicaSetController,
  startReplicationControllerController,
} from './controllers/replicas.ts';
import { ApiRegistry } from './registry/api-registry.ts';
import { localClient } from './registry/local-client.ts';
import type { DefaultTolerationSeconds } from './registry/toleration-admission.ts';
import { DEFAULT_WATCH_BACKLOG } from './registry/watch-stream.ts';
import { startScheduler } from './scheduler/scheduler.ts';
import { MemoryStore } from './store/memory-store.ts';
import type { Store } from './store/store.ts';

export interface ControlPlaneConfig {
  readonly serviceCidr: Cidr;
  readonly nodePortRange?: PortRange;
  /** Where `default/kubernetes` leads. */
  readonly apiServerPort?: number;
  readonly watchBacklog?: number;
  /** Absent: no LoadBalancer Service gets an address. */
  readonly loadBalancerPools?: readonly LbPoolConfig[];
  /** Where nodes get their podCIDRs, one a family; absent: they bring them. */
  readonly clusterCidrs?: readonly ClusterCidr[];
  /** Shorter times make demos and tests quick. */
  readonly nodeLifecycle?: Partial<NodeLifecycleConfig>;
  readonly tolerationSeconds?: DefaultTolerationSeconds;
}

export interface ControlPlaneOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly config: ControlPlaneConfig;
  /** Taken over and closed with the control plane; in memory where absent. */
  readonly store?: Store;
}

const DEFAULT_API_SERVER_PORT = 6443;

/** The controllers, in the order they start; each line is one of kube-controller-manager's. */
const CONTROLLERS: readonly ((context: ControllerContext) => Resource)[] = [
  startScheduler,
  startReplicaSetController,
  startReplicationControllerController,
  startDeploymentController,
  startEndpointSliceController,
  startEndpointsController,
  startEndpointSliceMirroring,
  startDaemonSetController,
  startStatefulSetController,
  startServiceLoadBalancer,
  startNodeIpamController,
  startIpAddressController,
  startNodeLifecycleController,
  startTaintEvictionController,
  startDisruptionController,
  startNamespaceController,
  startGarbageCollector,
  startEventExpiry,
];

/** Store, API and controllers in one process. `close` ends the controllers, then the store. */
export class ControlPlane implements Resource {
  readonly client: Client;
  readonly registry: ApiRegistry;
  readonly #lifetime: Lifetime;
  readonly #options: ControlPlaneOptions;

  private constructor(
    lifetime: Lifetime,
    registry: ApiRegistry,
    client: Client,
    options: ControlPlaneOptions,
  ) {
    this.#lifetime = lifetime;
    this.registry = registry;
    this.client = client;
    this.#options = options;
  }

  /** Resolves when the system namespaces exist and every controller has seen the cluster. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    const { clock, logger, config } = options;
    const lifetime = new Lifetime('control plane');
    try {
      const store = lifetime.own(options.store ?? new MemoryStore());
      // After a restart the same seed must not give out names and UIDs that are taken.
      const { revision } = store;
      const random = revision === 0 ? options.random : options.random.fork(`after ${revision}`);
      const serviceIps = new ServiceIpAllocator({
        cidr: config.serviceCidr,
        random: random.fork('service-ips'),
      });
      const registry = new ApiRegistry({
        store,
        clock,
        random: random.fork('names'),
        watchBacklog: config.watchBacklog ?? DEFAULT_WATCH_BACKLOG,
        ...(config.tolerationSeconds === undefined
          ? {}
          : { tolerationSeconds: config.tolerationSeconds }),
        serviceIps,
        nodePorts: new NodePortAllocator({
          range: config.nodePortRange ?? DEFAULT_NODE_PORT_RANGE,
          random: random.fork('node-ports'),
        }),
      });
      await bootstrap(registry, {
        serviceIps,
        serviceCidr: config.serviceCidr,
        apiServerPort: config.apiServerPort ?? DEFAULT_API_SERVER_PORT,
      });
      const client = localClient(registry);
      const informers = lifetime.own(new Informers(client, clock, logger));
      const context: ControllerContext = {
        client,
        informers,
        clock,
        random,
        logger,
        nodeLifecycle: { ...DEFAULT_NODE_LIFECYCLE, ...config.nodeLifecycle },
        nodeIpam:
          config.clusterCidrs === undefined
            ? undefined
            : { clusterCidrs: config.clusterCidrs, serviceCidr: config.serviceCidr },
        loadBalancerPools: config.loadBalancerPools ?? [],
        finalizeNamespace: (name) => registry.finalizeNamespace(name),
      };
      for (const start of CONTROLLERS) lifetime.own(start(context));
      await informers.synced();
      return new ControlPlane(lifetime, registry, client, options);
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Creates or updates what a manifest says. Refusals are ApiErrors with their fields as causes. */
  apply(object: ManifestObject): Promise<Applied> {
    return applyObject(this.registry, object);
  }

  /**
   * Opens the API to kubectl and other clients; ends with the control plane. Throws a PodwireError
   * (`listen-failed`) when the address cannot be had; everything else goes on.
   */
  serveApi(config: ApiServerConfig): Promise<RunningApiServer> {
    return startApiServer(config, this.#options, this.registry, this.#lifetime);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

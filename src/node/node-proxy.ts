import type { Node, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { Clock } from '../base/clock.ts';
import { type Cidr, formatHostPort, parseCidr } from '../base/ip.ts';
import { Lifetime, type Resource } from '../base/lifetime.ts';
import type { Random } from '../base/random.ts';
import type { Dialer } from '../proxy/dialer.ts';
import { configz } from '../proxy/health/configz.ts';
import { HEALTHZ_PORT, METRICS_PORT, startProxyServers } from '../proxy/health/proxy-servers.ts';
import type { Ingress } from '../proxy/ingress.ts';
import {
  DEFAULT_SCHEDULER,
  type IpvsSchedulerSetting,
} from '../proxy/modes/ipvs-scheduler-setting.ts';
import { PerServiceMode } from '../proxy/modes/per-service-mode.ts';
import { type NodeContext, nodeContext } from '../proxy/node-context.ts';
import { NodeInspector } from '../proxy/node-inspector.ts';
import { Proxier } from '../proxy/proxier.ts';
import type { ProxyModeName } from '../proxy/proxy-mode.ts';
import { registerRuleMetrics } from '../proxy/rule-metrics.ts';
import { ZONE_LABEL } from '../services/categorize-endpoints.ts';
import type { ObjectFeed } from './object-feed.ts';
import { type DetectorSetting, localDetector } from './proxy-flags.ts';

/** kube-proxy's watches leave these out (cmd/kube-proxy/app/server.go). */
const SERVICE_PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
const HEADLESS_LABEL = 'service.kubernetes.io/headless';

/** Load balancers should look elsewhere before the cluster autoscaler takes the node. */
const LEAVING_TAINT = 'ToBeDeletedByClusterAutoscaler';

/** What shapes the rules of every mode. */
export interface RuleSettings {
  /** `--masquerade-all`; default false. */
  readonly masqueradeAll?: boolean;
  /** `--nodeport-addresses`; default: every address of the node in every mode, which is more than nftables mode's. */
  readonly nodePortAddresses?: 'primary' | readonly Cidr[];
  /** How pods are told from other clients; default: by the cluster's pod network. */
  readonly detectLocal?: DetectorSetting | 'none';
}

export interface NodeProxyOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly nodeName: string;
  /** The node's zone label; empty: none. */
  readonly zone: string;
  /** The first is the node's own; further ones are other names of it, such as 127.0.0.1. */
  readonly addresses: readonly string[];
  readonly mode: ProxyModeName;
  /** Of ipvs mode; default rr. */
  readonly ipvsScheduler?: IpvsSchedulerSetting;
  /** Absent: as {@link RuleSettings} says of each. */
  readonly rules?: RuleSettings;
  readonly podCIDR: Cidr;
  readonly clusterCIDR: Cidr;
  readonly serviceCIDR: Cidr;
  /** Shared by the nodes of this process. */
  readonly ingress: Ingress;
  readonly dialer: Dialer;
  readonly services: ObjectFeed<Service>;
  readonly endpointSlices: ObjectFeed<EndpointSlice>;
  /** For this node's own object: its zone, and whether it is about to go. */
  readonly nodes: ObjectFeed<Node>;
}

/** One node's kube-proxy, following the API. */
export class NodeProxy implements Resource {
  readonly proxier: Proxier;
  /** For what is run on the node to look into it. */
  readonly inspector: NodeInspector;
  readonly #lifetime: Lifetime;
  readonly #context: NodeContext;
  readonly #scheduler: IpvsSchedulerSetting;

  constructor(options: NodeProxyOptions) {
    const { clock, random, nodeName, zone, mode, podCIDR, ingress, dialer } = options;
    this.#lifetime = new Lifetime(`kube-proxy ${nodeName}`);
    const context = contextOf(options);
    const scheduler = options.ipvsScheduler ?? DEFAULT_SCHEDULER;
    this.#context = context;
    this.#scheduler = scheduler;
    const perService = new PerServiceMode(mode, { context, clock, random, ipvs: { scheduler } });
    this.proxier = this.#lifetime.own(
      new Proxier({
        nodeName,
        zone,
        mode: perService,
        context,
        podCIDRs: [podCIDR],
        ingress,
        dialer,
        clock,
      }),
    );
    const { proxier } = this;
    this.inspector = new NodeInspector({ proxier, mode: perService, context, clock });
    registerRuleMetrics(proxier.registry, mode, () => this.inspector.countIptables());
    this.#follow(options.services, options.endpointSlices);
    this.#followNode(options);
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  /**
   * Answers /healthz and /livez on port 10256 and /metrics and /proxyMode on 10249 of the node's address.
   * Rejects with the system's error when another program has them; everything else goes on.
   */
  async serve(address: string): Promise<void> {
    const { proxier } = this;
    const servers = await startProxyServers({
      healthz: { address, port: HEALTHZ_PORT },
      metrics: { address, port: METRICS_PORT },
      nodeName: proxier.nodeName,
      mode: proxier.mode.name,
      configz: configz({
        nodeName: proxier.nodeName,
        mode: proxier.mode.name,
        context: this.#context,
        scheduler: this.#scheduler,
        healthzBindAddress: formatHostPort(address, HEALTHZ_PORT),
        metricsBindAddress: formatHostPort(address, METRICS_PORT),
      }),
      health: proxier.health,
      proxyMetrics: proxier.metrics,
      registry: proxier.registry,
    });
    this.#lifetime.own(servers);
  }

  #followNode({ nodeName, nodes, zone: firstZone }: NodeProxyOptions): void {
    const { proxier } = this;
    let zone = firstZone;
    this.#lifetime.defer(
      nodes.subscribe((current, previous) => {
        if ((current ?? previous)?.metadata.name !== nodeName) return;
        proxier.health.setNodeEligible(current !== undefined && !isLeaving(current));
        const label = current?.metadata.labels?.[ZONE_LABEL] ?? '';
        // Heartbeats change the object too.
        if (label === zone) return;
        zone = label;
        proxier.setZone(zone);
      }),
    );
  }

  #follow(services: ObjectFeed<Service>, slices: ObjectFeed<EndpointSlice>): void {
    const { proxier } = this;
    this.#lifetime.defer(
      services.subscribe((current, previous) => {
        if (current !== undefined && !hasLabel(current, SERVICE_PROXY_NAME_LABEL))
          proxier.setService(current);
        else if (previous !== undefined) proxier.deleteService(previous.metadata);
      }),
    );
    this.#lifetime.defer(
      slices.subscribe((current, previous) => {
        if (current !== undefined && !hasLabel(current, HEADLESS_LABEL)) proxier.setSlice(current);
        else if (previous !== undefined) proxier.deleteSlice(previous);
      }),
    );
    const listed = async (kind: 'services' | 'slices', feed: { synced: Promise<void> }) => {
      await feed.synced;
      if (!this.#lifetime.ended) proxier.listed(kind);
    };
    void listed('services', services);
    void listed('slices', slices);
  }
}

/** pkg/proxy/healthcheck/proxy_health.go, nodeEligible. */
function isLeaving({ metadata, spec }: Node): boolean {
  return (
    metadata.deletionTimestamp !== undefined ||
    (spec.taints ?? []).some(({ key }) => key === LEAVING_TAINT)
  );
}

/**
 * kube-proxy's configuration on this node. All of 127.0.0.0/8 is local here, so only what belongs to the
 * node counts as the node; its further addresses take node ports as the first does.
 */
function contextOf(options: NodeProxyOptions): NodeContext {
  const { addresses, clusterCIDR, podCIDR, rules = {} } = options;
  const detector = rules.detectLocal ?? { mode: 'ClusterCIDR', cidrs: [clusterCIDR] };
  return nodeContext({
    nodeIPs: addresses,
    loopback: [],
    detectLocal: localDetector(detector, [podCIDR]),
    masqueradeAll: rules.masqueradeAll ?? false,
    nodePortAddresses:
      rules.nodePortAddresses ?? addresses.flatMap((address) => parseCidr(`${address}/32`) ?? []),
    serviceCIDRs: [options.serviceCIDR],
  });
}

function hasLabel(object: Service | EndpointSlice, label: string): boolean {
  return object.metadata.labels?.[label] !== undefined;
}

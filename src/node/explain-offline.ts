import type { Node, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import { systemClock } from '../base/clock.ts';
import { type Cidr, cidrContains, formatIp, parseCidr, parseIp } from '../base/ip.ts';
import { seededRandom } from '../base/random.ts';
import { explainFlow, type FlowExplanation } from '../proxy/explain-flow.ts';
import type { Flow } from '../proxy/flow.ts';
import type { IpvsSchedulerSetting } from '../proxy/modes/ipvs-scheduler-setting.ts';
import { PerServiceMode } from '../proxy/modes/per-service-mode.ts';
import {
  type LocalDetector,
  type NodeContext,
  nodeContext,
  REAL_LOOPBACK,
} from '../proxy/node-context.ts';
import type { ProxyModeName } from '../proxy/proxy-mode.ts';
import { ZONE_LABEL } from '../services/categorize-endpoints.ts';
import { buildRoutingTable } from '../services/routing-state.ts';

/** A cluster as its API shows it, and one node's proxy in it. */
export interface OfflineProxy {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly nodeName: string;
  /** Empty: as the Node's status has them. */
  readonly nodeIPs: readonly string[];
  readonly mode: ProxyModeName;
  readonly ipvsScheduler?: IpvsSchedulerSetting;
  readonly detectLocal: LocalDetector | undefined;
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  readonly nodePortAddresses: NodeContext['nodePortAddresses'];
  readonly serviceCIDRs: readonly Cidr[];
}

/** What one node's proxy would do with a flow, from the API's objects alone. */
export async function explainOffline(proxy: OfflineProxy, flow: Flow): Promise<FlowExplanation> {
  const node = proxy.nodes.find(({ metadata }) => metadata.name === proxy.nodeName);
  const nodeIPs = proxy.nodeIPs.length > 0 ? proxy.nodeIPs : internalIPs(node);
  const mode = new PerServiceMode(proxy.mode, {
    context: nodeContext({
      ...proxy,
      detectLocal: withLocalPods(proxy, nodeIPs.map(canonical)),
      nodeIPs: nodeIPs.map(canonical),
      loopback: loopbackOf([...nodeIPs, ...proxy.nodes.flatMap(internalIPs)]),
    }),
    clock: systemClock,
    random: seededRandom('explain'),
    ...(proxy.ipvsScheduler === undefined ? {} : { ipvs: { scheduler: proxy.ipvsScheduler } }),
  });
  try {
    const zone = node?.metadata.labels?.[ZONE_LABEL] ?? '';
    mode.update(buildRoutingTable({ nodeName: proxy.nodeName, zone }, proxy));
    return explainFlow(mode, flow);
  } finally {
    await mode.close();
  }
}

/** What interfaces tell a proxy besides the pod CIDR: the endpoints on its node, but for those in the host's network, are pods. */
function withLocalPods(
  { detectLocal, slices, nodeName }: OfflineProxy,
  nodeIPs: readonly string[],
): LocalDetector | undefined {
  if (detectLocal?.interfaceName === undefined) return detectLocal;
  const pods = slices
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter((endpoint) => endpoint.nodeName === nodeName)
    .flatMap(({ addresses }) => addresses.map(canonical))
    .filter((address) => !nodeIPs.includes(address))
    .flatMap((address) => parseCidr(`${address}/${address.includes(':') ? 128 : 32}`) ?? []);
  return { ...detectLocal, cidrs: [...detectLocal.cidrs, ...pods] };
}

/** kube-proxy takes the internal addresses, or the external ones of a node that has no others. */
function internalIPs(node: Node | undefined): string[] {
  const addresses = node?.status?.addresses ?? [];
  const ofType = (type: string): string[] =>
    addresses.filter((address) => address.type === type).map(({ address }) => address);
  const internal = ofType('InternalIP');
  return internal.length > 0 ? internal : ofType('ExternalIP');
}

/** In podwire's loopback plan the cluster itself lives in 127.0.0.0/8, so only 127.0.0.1 is loopback. */
function loopbackOf(nodeIPs: readonly string[]): readonly Cidr[] {
  const inPlan = nodeIPs.some((text) => {
    const ip = parseIp(text);
    return ip !== undefined && REAL_LOOPBACK.some((cidr) => cidrContains(cidr, ip));
  });
  return inPlan ? PLAN_LOOPBACK : REAL_LOOPBACK;
}

const PLAN_LOOPBACK: readonly Cidr[] = ['127.0.0.1/32', '::1/128'].flatMap(
  (text) => parseCidr(text) ?? [],
);

function canonical(text: string): string {
  const ip = parseIp(text);
  return ip === undefined ? text : formatIp(ip);
}

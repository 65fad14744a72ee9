import type { Node, Service } from '../api/types/core.ts';
import type { EndpointSlice } from '../api/types/discovery.ts';
import type { ServiceCidr } from '../api/types/other.ts';
import { type Cidr, parseCidr } from '../base/ip.ts';
import type { FlowExplanation } from '../proxy/explain-flow.ts';
import { explainOffline } from './explain-offline.ts';
import {
  FlagError,
  parseCidrs,
  parseDetectLocal,
  parseFlow,
  parseNodeIP,
  parseNodePortAddresses,
  parseProxyMode,
  parseSchedulerFlag,
} from './proxy-flags.ts';

/** The question as a user types it; nothing is checked yet. Absent: kube-proxy's default. */
export interface ExplainFlags {
  readonly node: string;
  readonly nodeIPs: readonly string[];
  readonly proxyMode: string;
  readonly ipvsScheduler?: string;
  readonly from: string;
  readonly to: string;
  readonly detectLocal?: string;
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  readonly nodePortAddresses?: string;
  readonly serviceCIDRs?: string;
}

/** What the API has, as far as a proxy looks at it. */
export interface ProxyObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly nodes: readonly Node[];
  readonly serviceCIDRs: readonly ServiceCidr[];
}

/** Answers from manifests alone. Throws a {@link FlagError} for a flag that makes no sense. */
export function explainRequest(
  objects: ProxyObjects,
  flags: ExplainFlags,
): Promise<FlowExplanation> {
  const node = objects.nodes.find(({ metadata }) => metadata.name === flags.node);
  // With its addresses given, a node needs no object.
  if (node === undefined && objects.nodes.length > 0 && flags.nodeIPs.length === 0)
    throw new FlagError(
      '--node',
      `"${flags.node}" is not among the Nodes: ${objects.nodes.map(({ metadata }) => metadata.name).join(', ')}`,
    );
  return explainOffline(
    {
      ...objects,
      nodeName: flags.node,
      nodeIPs: flags.nodeIPs.map(parseNodeIP),
      mode: parseProxyMode(flags.proxyMode),
      ...(flags.ipvsScheduler === undefined
        ? {}
        : { ipvsScheduler: parseSchedulerFlag(flags.ipvsScheduler) }),
      detectLocal:
        flags.detectLocal === undefined ? undefined : parseDetectLocal(flags.detectLocal, node),
      masqueradeAll: flags.masqueradeAll,
      localhostNodePorts: flags.localhostNodePorts,
      nodePortAddresses:
        flags.nodePortAddresses === undefined
          ? 'default'
          : parseNodePortAddresses(flags.nodePortAddresses),
      serviceCIDRs: serviceCIDRs(objects.serviceCIDRs, flags.serviceCIDRs),
    },
    parseFlow(flags.from, flags.to),
  );
}

function serviceCIDRs(objects: readonly ServiceCidr[], flag: string | undefined): readonly Cidr[] {
  if (flag !== undefined) return parseCidrs('--service-cidr', flag);
  return objects.flatMap(({ spec }) =>
    (spec.cidrs ?? []).flatMap((text) => parseCidr(text, { allowHostBits: true }) ?? []),
  );
}

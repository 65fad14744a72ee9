import { formatCidr, type Ipv4Cidr } from '../base/ip.ts';
import { netConfProblems, type OverlaySettings } from '../node/overlay-settings.ts';
import type { Refuse } from './settings-draft.ts';

/** What the nodes' flannel is told. */
export interface OverlayInput {
  /** flannel's `Backend` object, all of its keys. Default: vxlan with flannel's defaults. */
  readonly backend?: Readonly<Record<string, unknown>>;
  /** The largest packet between nodes: 1500 gives pods the usual 1450. Default: loopback's 65536. */
  readonly underlayMTU?: number;
  /** Take TCP and UDP whose checksums a kernel left to hardware that is not there, and count them. */
  readonly acceptPartialChecksums?: boolean;
  /** Drop what comes from hosts that no lease names. */
  readonly checkPeers?: boolean;
  /** Leases in etcd instead of in Nodes, as flannel without `--kube-subnet-mgr`: URLs, separated by commas. */
  readonly etcdEndpoints?: string;
  /** flannel's `--etcd-prefix`; default `/coreos.com/network`. */
  readonly etcdPrefix?: string;
}

/** Linux's `lo`. */
const LOOPBACK_MTU = 65_536;
/** RFC 791's 68 and what the tunnel takes would do; TCP wants more. */
const MIN_UNDERLAY_MTU = 626;
const ETCD_PREFIX = '/coreos.com/network';

/** Fills in the defaults and checks everything, net-conf.json as flannel does. */
export function resolveOverlay(
  input: OverlayInput,
  networks: { readonly nodeSubnet: Ipv4Cidr; readonly podSubnet: Ipv4Cidr },
  nodeCIDRMaskSize: number,
  refuse: Refuse,
): OverlaySettings {
  const underlayMtu = input.underlayMTU ?? LOOPBACK_MTU;
  if (!Number.isInteger(underlayMtu) || underlayMtu < MIN_UNDERLAY_MTU || underlayMtu > 65_536)
    refuse(
      'overlay.underlayMTU',
      `Invalid value: ${underlayMtu}: must be between ${MIN_UNDERLAY_MTU} and 65536`,
    );
  const netConf = JSON.stringify({
    Network: formatCidr(networks.podSubnet),
    ...(input.etcdEndpoints === undefined ? {} : { SubnetLen: nodeCIDRMaskSize }),
    Backend: input.backend ?? { Type: 'vxlan' },
  });
  for (const problem of netConfProblems(netConf)) refuse('overlay.backend', problem);
  return {
    netConf,
    nodeNetwork: networks.nodeSubnet,
    underlayMtu,
    acceptPartialChecksums: input.acceptPartialChecksums ?? false,
    checkPeers: input.checkPeers ?? false,
    etcd: etcdOf(input, refuse),
  };
}

function etcdOf(input: OverlayInput, refuse: Refuse): OverlaySettings['etcd'] {
  if (input.etcdEndpoints === undefined) return undefined;
  const endpoints = input.etcdEndpoints.split(',').map((text) => text.trim());
  for (const endpoint of endpoints)
    if (!/^https?:\/\/[^/]+$/.test(endpoint))
      refuse(
        'overlay.etcdEndpoints',
        `Invalid value: "${endpoint}": must be like http://127.0.0.1:2379`,
      );
  const prefix = input.etcdPrefix ?? ETCD_PREFIX;
  if (!/^\/[^/].*[^/]$/.test(prefix))
    refuse('overlay.etcdPrefix', `Invalid value: "${prefix}": must be like ${ETCD_PREFIX}`);
  return { endpoints, prefix };
}

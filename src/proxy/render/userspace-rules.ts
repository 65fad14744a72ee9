import type { IpFamilyName } from '../../api/types/core.ts';
import { formatHostPort } from '../../base/ip.ts';
import type { Frontend, RoutingTable } from '../../services/routing-table.ts';
import { formatServicePortName } from '../../services/service-port-name.ts';
import { familyOf, type NodeContext } from '../node-context.ts';
import { emptyTables, type IptablesTables } from './iptables-tables.ts';
import { comment, TO_LOCAL, toFrontend } from './rule-parts.ts';

const PORTALS_CONTAINER = 'KUBE-PORTALS-CONTAINER';
const PORTALS_HOST = 'KUBE-PORTALS-HOST';
const NODEPORT_CONTAINER = 'KUBE-NODEPORT-CONTAINER';
const NODEPORT_HOST = 'KUBE-NODEPORT-HOST';
const NODEPORT_NON_LOCAL = 'KUBE-NODEPORT-NON-LOCAL';

/** What did not come in through a bridge, where pods are. */
const NOT_FROM_BRIDGE = '-m physdev ! --physdev-is-in';

/**
 * The rules of kube-proxy's userspace mode, in one family: every portal is redirected to the proxy port of its service
 * port (pkg/proxy/userspace/proxier.go at 1.25). `proxyPort` is asked by the service port's key.
 */
export function userspaceRules(
  table: RoutingTable,
  context: NodeContext,
  proxyPort: (servicePortKey: string) => number,
  family: IpFamilyName = 'IPv4',
): IptablesTables {
  const tables = skeleton();
  const host = context.nodeIPs.find((address) => familyOf(address) === family) ?? '';
  const servicePorts = [...table.servicePorts.values()]
    // A proxy that terminates connections does without SCTP.
    .filter(({ info }) => info.family === family && info.protocol !== 'SCTP')
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  for (const { key, frontends } of servicePorts)
    for (const frontend of frontends) writePortal(tables, frontend, proxyPort(key), host);
  return tables;
}

function skeleton(): IptablesTables {
  const tables = emptyTables();
  const { nat, filter } = tables;
  const first = comment('handle ClusterIPs; NOTE: this must be before the NodePort rules');
  const last = comment('handle service NodePorts; NOTE: this must be the last rule in the chain');
  for (const [hook, portals, nodePorts] of [
    ['PREROUTING', PORTALS_CONTAINER, NODEPORT_CONTAINER],
    ['OUTPUT', PORTALS_HOST, NODEPORT_HOST],
  ] as const) {
    nat.append(hook, first, `-j ${portals}`);
    nat.append(hook, TO_LOCAL, last, `-j ${nodePorts}`);
    for (const chain of [portals, nodePorts]) nat.chain(chain);
  }
  const flow = comment('Ensure that non-local NodePort traffic can flow');
  filter.append('INPUT', flow, `-j ${NODEPORT_NON_LOCAL}`);
  filter.chain(NODEPORT_NON_LOCAL);
  return tables;
}

function writePortal(
  { nat, filter }: IptablesTables,
  frontend: Frontend,
  proxyPort: number,
  host: string,
): void {
  const name = formatServicePortName(frontend.servicePort.info.name);
  const match = toFrontend(frontend, name);
  const redirect = `-j REDIRECT --to-ports ${proxyPort}`;
  // Redirecting on OUTPUT would lead to 127.0.0.1, where a reply could not leave from.
  const translate = `-j DNAT --to-destination ${formatHostPort(host, proxyPort)}`;
  switch (frontend.kind) {
    case 'nodePort': {
      nat.append(NODEPORT_CONTAINER, ...match, redirect);
      nat.append(NODEPORT_HOST, ...match, translate);
      const opened = toFrontend({ ...frontend, port: proxyPort }, name);
      filter.append(NODEPORT_NON_LOCAL, ...opened, '-m state --state NEW -j ACCEPT');
      return;
    }
    case 'externalIP':
      nat.append(PORTALS_CONTAINER, ...match, NOT_FROM_BRIDGE, redirect);
      nat.append(PORTALS_CONTAINER, ...match, TO_LOCAL, redirect);
      nat.append(PORTALS_HOST, ...match, TO_LOCAL, translate);
      return;
    case 'clusterIP':
    case 'loadBalancer':
      nat.append(PORTALS_CONTAINER, ...match, redirect);
      nat.append(PORTALS_HOST, ...match, translate);
  }
}

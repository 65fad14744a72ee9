import {
  type Frontend,
  nodePortKey,
  portKey,
  type RoutingTable,
} from '../../services/routing-table.ts';
import type { Flow } from '../flow.ts';
import { familyOf, type NodeView } from '../node-context.ts';

/** Which service port a flow is for. Service addresses come before node ports, as in every mode's rules. */
export function findFrontend(
  table: RoutingTable,
  view: NodeView,
  flow: Flow,
): Frontend | undefined {
  const { address, port } = flow.destination;
  const ports = table.addresses.get(address);
  const frontend = ports?.get(portKey(flow.protocol, port));
  if (frontend !== undefined) return frontend;
  const nodePort = table.nodePorts.get(nodePortKey(familyOf(address), flow.protocol, port));
  return nodePort !== undefined && view.answersNodePorts(address) ? nodePort : undefined;
}

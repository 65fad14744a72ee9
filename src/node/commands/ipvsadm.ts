import { formatHostPort } from '../../base/ip.ts';
import type { ServiceListing } from '../../proxy/ipvs/listing.ts';
import type { NodeInspector } from '../../proxy/node-inspector.ts';
import {
  renderIpvsadmConnections,
  renderIpvsadmList,
  renderIpvsadmRates,
  renderIpvsadmStats,
} from '../../proxy/render/ipvsadm.ts';
import type { NodeAgent } from '../node-agent.ts';
import { commandArgs, wrongUsage } from './command-args.ts';
import type { NodeCommand } from './node-command.ts';

const USAGE = 'ipvsadm -Ln [-c | --stats | --rate] [-t|-u ADDRESS:PORT] [--nosort]';

/** Addresses are numbers with or without -n: a node has no resolver to ask. */
export const ipvsadm: NodeCommand = {
  name: 'ipvsadm',
  summary:
    '-Ln [-c | --stats | --rate] [-t|-u ADDRESS:PORT] [--nosort]  virtual servers, or connections',
  run(agent: NodeAgent, args: readonly string[]): string {
    const { values, positionals } = commandArgs(USAGE, args, {
      list: { type: 'boolean', short: 'L' },
      l: { type: 'boolean', short: 'l' },
      numeric: { type: 'boolean', short: 'n' },
      connection: { type: 'boolean', short: 'c' },
      stats: { type: 'boolean' },
      rate: { type: 'boolean' },
      sort: { type: 'boolean' },
      nosort: { type: 'boolean' },
      'tcp-service': { type: 'string', short: 't' },
      'udp-service': { type: 'string', short: 'u' },
    });
    if (positionals.length > 0) throw wrongUsage(USAGE, `"${positionals[0]}" is too much`);
    const { inspector } = agent.proxy;
    const { connection = false, stats = false, rate = false } = values;
    if (Number(connection) + Number(stats) + Number(rate) > 1)
      throw wrongUsage(USAGE, 'of -c, --stats and --rate only one is shown at a time');
    if (connection) return renderIpvsadmConnections(inspector.ipvsConnections());
    const services = chosenServices(inspector, values['tcp-service'], values['udp-service']);
    const options = { sort: values.nosort !== true };
    if (stats) return renderIpvsadmStats(services, options);
    return rate ? renderIpvsadmRates(services, options) : renderIpvsadmList(services, options);
  },
};

function chosenServices(
  inspector: NodeInspector,
  tcp: string | undefined,
  udp: string | undefined,
): readonly ServiceListing[] {
  const services = inspector.virtualServers();
  if (tcp === undefined && udp === undefined) return services;
  const wanted = tcp === undefined ? `UDP ${udp}` : `TCP ${tcp}`;
  const found = services.filter(
    ({ id }) =>
      id.kind === 'address' && `${id.protocol} ${formatHostPort(id.address, id.port)}` === wanted,
  );
  if (found.length === 0) throw wrongUsage(USAGE, `no virtual server ${wanted}`);
  return found;
}

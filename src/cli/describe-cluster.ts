import type { ClusterConfig } from '../cluster/cluster-config.ts';
import type { ClusterSummary, ServicePortSummary } from '../cluster/cluster-summary.ts';
import { renderTable } from './table.ts';

/** What `podwire up` shows once the cluster runs: nodes, Services, and lines to paste. */
export function describeCluster(summary: ClusterSummary, config: ClusterConfig): string {
  const sections = [nodesTable(summary), servicesTable(summary)];
  const unsettled = summary.pods.filter(({ ready, phase }) => !ready && phase !== 'Succeeded');
  if (unsettled.length > 0)
    sections.push(
      renderTable(
        ['POD NOT READY', 'NAMESPACE', 'PHASE', 'NODE'],
        unsettled.map((pod) => [pod.name, pod.namespace, pod.phase, pod.node || '<none>']),
      ),
    );
  const tries = thingsToTry(summary, config);
  if (tries.length > 0) sections.push(['Try:', ...tries.map((line) => `  ${line}`)].join('\n'));
  return sections.join('\n\n');
}

function nodesTable({ nodes }: ClusterSummary): string {
  return renderTable(
    ['NODE', 'ADDRESS', 'POD CIDR', 'PODS'],
    nodes.map(({ name, address, podCIDR, pods }) => [name, address, podCIDR, String(pods)]),
  );
}

function servicesTable({ services }: ClusterSummary): string {
  return renderTable(
    ['NAMESPACE', 'SERVICE', 'TYPE', 'CLUSTER-IP', 'EXTERNAL-IP', 'PORT(S)'],
    services.map((service) => [
      service.namespace,
      service.name,
      service.type,
      service.clusterIP || '<none>',
      service.externalIPs.join(',') || (service.type === 'LoadBalancer' ? '<pending>' : '<none>'),
      service.ports.map(portText).join(',') || '<none>',
    ]),
  );
}

function portText({ port, protocol, nodePort }: ServicePortSummary): string {
  return nodePort === undefined ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`;
}

/** Ready-to-paste lines for the Services that users made. */
function thingsToTry({ services }: ClusterSummary, config: ClusterConfig): string[] {
  const own = services.filter(({ namespace }) => namespace !== 'kube-system');
  const made = own.filter(({ namespace, name }) => `${namespace}/${name}` !== 'default/kubernetes');
  const { address, port } = config.dnsHostAddress;
  return made.flatMap((service) => {
    const name = `${service.name}.${service.namespace}.svc.${config.dnsDomain}`;
    const lines = [`dig +short @${address} -p ${port} ${name}`];
    if (service.clusterIP === '' || service.clusterIP === 'None') return lines;
    for (const { port: servicePort, protocol, nodePort } of service.ports) {
      if (protocol !== 'TCP') continue;
      if (nodePort !== undefined) lines.push(dialLine('127.0.0.1', nodePort, servicePort));
      for (const ip of [service.clusterIP, ...service.externalIPs])
        lines.push(dialLine(ip, servicePort, servicePort));
    }
    return lines;
  });
}

const REDIS_PORT = 6379;

/** The client to reach for, going by the Service's own port. */
function dialLine(host: string, port: number, servicePort: number): string {
  return servicePort === REDIS_PORT
    ? `redis-cli -h ${host} -p ${port} ping`
    : `curl http://${host}:${port}`;
}

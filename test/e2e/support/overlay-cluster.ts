/**
 * Arguments of `podwire up` for addresses and ports of its own, beside the default plan, which another cluster may have.
 * Nodes are at 127.`number`8.0.2 and so on; each file has a number from 2 to 8.
 */
export function ownNetworks(number: number): string[] {
  return [
    ['--node-cidr', `127.${number}8.0.0/16`, '--lb-cidr', `127.${number}8.255.0/24`],
    ['--pod-cidr', `127.${246 + number}.0.0/16`, '--service-cidr', `127.${96 + number}.0.0/16`],
    [
      '--dns-listen',
      `127.0.0.1:${21_051 + number}`,
      '--api-listen',
      `127.0.0.1:${26_441 + number}`,
    ],
  ].flat();
}

/** Pods on one node that say who they are, and a Service of type NodePort for them. */
export function pinnedWeb(options: {
  readonly name: string;
  readonly node: string;
  readonly nodePort: number;
  readonly replicas?: number;
}): string {
  const { name, node, nodePort, replicas = 1 } = options;
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      nodeName: ${node}
      containers: [{ name: web, image: traefik/whoami, ports: [{ containerPort: 80 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  type: NodePort
  selector: { app: ${name} }
  ports: [{ port: 80, nodePort: ${nodePort} }]
`;
}

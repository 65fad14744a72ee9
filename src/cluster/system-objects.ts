import type { Deployment } from '../api/types/apps.ts';
import type { ConfigMap, Service } from '../api/types/core.ts';
import { ApiError } from '../api/api-error.ts';
import type { KubeObject } from '../api/types/meta.ts';
import type { Client, ResourceClient } from '../controlplane/client/client.ts';

const NAMESPACE = 'kube-system';
const LABELS = { 'k8s-app': 'kube-dns' } as const;
const IMAGE = 'registry.k8s.io/coredns/coredns:v1.14.7';

/**
 * Installs cluster DNS as kubeadm does: a Corefile, two CoreDNS pods, and the Service kube-dns before them. What is
 * there already is left alone: its user may have changed it.
 */
export async function installClusterDns(
  client: Client,
  options: { readonly corefile: string; readonly clusterIP: string },
): Promise<void> {
  await ensure(client.resource('configmaps'), configMap(options.corefile));
  await ensure(client.resource('deployments'), deployment());
  await ensure(client.resource('services'), service(options.clusterIP));
}

async function ensure<T extends KubeObject>(resource: ResourceClient<T>, object: T): Promise<void> {
  try {
    await resource.create(object);
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
  }
}

function configMap(corefile: string): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'coredns', namespace: NAMESPACE },
    data: { Corefile: corefile },
  };
}

function deployment(): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'coredns', namespace: NAMESPACE, labels: { ...LABELS } },
    spec: {
      replicas: 2,
      selector: { matchLabels: { ...LABELS } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels: { ...LABELS } },
        spec: {
          dnsPolicy: 'Default',
          priorityClassName: 'system-cluster-critical',
          tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }],
          containers: [
            {
              name: 'coredns',
              image: IMAGE,
              args: ['-conf', '/etc/coredns/Corefile'],
              ports: [
                { name: 'dns', containerPort: 53, protocol: 'UDP' },
                { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
                { name: 'metrics', containerPort: 9153, protocol: 'TCP' },
              ],
              volumeMounts: [{ name: 'config-volume', mountPath: '/etc/coredns', readOnly: true }],
              livenessProbe: { httpGet: { path: '/health', port: 8080 }, timeoutSeconds: 5 },
              // kubeadm leaves the period at 10 s; a pod that is ready a moment after its first probe would wait for it.
              readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
            },
          ],
          volumes: [{ name: 'config-volume', configMap: { name: 'coredns' } }],
        },
      },
    },
  };
}

function service(clusterIP: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kube-dns',
      namespace: NAMESPACE,
      labels: {
        ...LABELS,
        'kubernetes.io/cluster-service': 'true',
        'kubernetes.io/name': 'CoreDNS',
      },
    },
    spec: {
      clusterIP,
      selector: { ...LABELS },
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP' },
        { name: 'dns-tcp', port: 53, protocol: 'TCP' },
        { name: 'metrics', port: 9153, protocol: 'TCP' },
      ],
    },
  };
}

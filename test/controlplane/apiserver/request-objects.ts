/** What the requests of these tests are made of. */

export const CORE = '/api/v1/namespaces/default';
export const APPS = '/apis/apps/v1/namespaces/default';

export const container = { name: 'c', image: 'nginx' };
export const labels = { app: 'web' };

export function service(spec: object, metadata: object = { name: 'svc' }): object {
  return { apiVersion: 'v1', kind: 'Service', metadata, spec };
}

export function pod(spec: object, metadata: object = { name: 'p' }): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { containers: [container], ...spec },
  };
}

export function deployment(spec: object): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
      ...spec,
    },
  };
}

export const port = { port: 80 };

import { describe, expect, test } from 'vitest';
import type { Container, Pod, Service } from '../../../src/api/types/core.ts';
import {
  containerEnv,
  type EnvSources,
  expandReferences,
  serviceEnv,
} from '../../../src/node/kubelet/container-env.ts';

const placement = { podIP: '192.0.2.7', hostIP: '192.0.2.1', nodeName: 'node-1' };

const sources: EnvSources = {
  configMap: (name) =>
    name === 'testenv'
      ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { server: '192.0.2.131' } }
      : undefined,
  secret: (name) =>
    name === 'login'
      ? { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: { user: 'cm9vdA==' } }
      : undefined,
  services: () => [],
};

function pod(container: Partial<Container>): { pod: Pod; container: Container } {
  const full = { name: 'c', image: 'busybox', ...container };
  return {
    container: full,
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-0', namespace: 'shop', uid: 'u-1', labels: { app: 'web' } },
      spec: { containers: [full] },
    },
  };
}

function envOf(container: Partial<Container>): Record<string, string> {
  const made = pod(container);
  return containerEnv(made.pod, made.container, placement, sources);
}

describe('values', () => {
  test.each<[string, NonNullable<Container['env']>[number], string | undefined]>([
    ['plain', { name: 'X', value: 'v' }, 'v'],
    ['absent value', { name: 'X' }, ''],
    ['own address', { name: 'X', value: 'http://$(POD_IP):80' }, 'http://192.0.2.7:80'],
    [
      'ConfigMap key',
      { name: 'X', valueFrom: { configMapKeyRef: { name: 'testenv', key: 'server' } } },
      '192.0.2.131',
    ],
    [
      'Secret key',
      { name: 'X', valueFrom: { secretKeyRef: { name: 'login', key: 'user' } } },
      'root',
    ],
    [
      'optional and missing',
      { name: 'X', valueFrom: { configMapKeyRef: { name: 'no', key: 'k', optional: true } } },
      undefined,
    ],
    ['pod name', { name: 'X', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }, 'web-0'],
    [
      'label',
      { name: 'X', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      'web',
    ],
    ['pod IP', { name: 'X', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }, '192.0.2.7'],
    ['node', { name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }, 'node-1'],
  ])('%s', (_, variable, value) => expect(envOf({ env: [variable] })['X']).toBe(value));

  test('envFrom with a prefix, and env wins over it', () => {
    const env = envOf({
      envFrom: [
        { prefix: 'DB_', configMapRef: { name: 'testenv' } },
        { secretRef: { name: 'login' } },
      ],
      env: [{ name: 'user', value: 'me' }],
    });
    expect(env).toMatchObject({ DB_server: '192.0.2.131', user: 'me' });
  });

  test.each([
    [{ configMapKeyRef: { name: 'gone', key: 'k' } }, 'configmap "gone" not found'],
    [
      { configMapKeyRef: { name: 'testenv', key: 'k' } },
      "couldn't find key k in ConfigMap testenv",
    ],
    [{ secretKeyRef: { name: 'gone', key: 'k' } }, 'secret "gone" not found'],
    [{ fieldRef: { fieldPath: 'status.phase' } }, 'unsupported fieldPath: status.phase'],
  ])('what is missing is named: %j', (valueFrom, message) => {
    expect(() => envOf({ env: [{ name: 'X', valueFrom }] })).toThrow(message);
  });
});

test.each([
  ['$(A)-$(B)', '1-$(B)'],
  ['$$(A)', '$(A)'],
  ['$A', '$A'],
])('references in %s', (text, expanded) =>
  expect(expandReferences(text, { A: '1' })).toBe(expanded),
);

test('Service variables, as Docker links had them', () => {
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'redis-master' },
    spec: {
      clusterIP: '192.0.2.96',
      ports: [
        { name: 'client', port: 6379, protocol: 'TCP' },
        { name: 'gossip', port: 16379 },
      ],
    },
  };
  const headless = { ...service, spec: { ...service.spec, clusterIP: 'None' } };
  expect(serviceEnv([headless])).toEqual({});
  expect(serviceEnv([service])).toMatchObject({
    REDIS_MASTER_SERVICE_HOST: '192.0.2.96',
    REDIS_MASTER_SERVICE_PORT: '6379',
    REDIS_MASTER_SERVICE_PORT_GOSSIP: '16379',
    REDIS_MASTER_PORT: 'tcp://192.0.2.96:6379',
    REDIS_MASTER_PORT_6379_TCP_ADDR: '192.0.2.96',
    REDIS_MASTER_PORT_16379_TCP_PROTO: 'tcp',
  });
});

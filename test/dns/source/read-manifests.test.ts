import { expect, test } from 'vitest';
import { MemoryDnsSource } from '../../../src/dns/source/memory-source.ts';
import { readManifest } from '../../../src/dns/source/read-manifests.ts';

test('objects come in as a cluster would have them', () => {
  const source = new MemoryDnsSource();
  const text = `
apiVersion: v1
kind: List
items:
  - { apiVersion: v1, kind: Service, metadata: { name: web, namespace: shop }, spec: { clusterIP: 10.0.0.1 } }
  - { apiVersion: v1, kind: ConfigMap, metadata: { name: ignored } }
---
apiVersion: v1
kind: Endpoints
metadata: { name: db }
subsets:
  - addresses: [{ ip: 10.0.0.2 }, { ip: '2001:db8::2' }]
    notReadyAddresses: [{ ip: 10.0.0.3 }]
    ports: [{ port: 5432 }]
`;
  expect(readManifest(source, text, 'm.yaml')).toEqual([]);
  expect(source.list('namespaces').map(({ metadata }) => metadata.name)).toEqual([
    'shop',
    'default',
  ]);
  expect(source.list('services')).toHaveLength(1);
  const shapes = source
    .list('endpointslices')
    .map(({ addressType, endpoints }) => [
      addressType,
      endpoints?.map(({ addresses, conditions }) => [addresses[0], conditions?.ready]),
    ]);
  expect(shapes).toEqual([
    [
      'IPv4',
      [
        ['10.0.0.2', true],
        ['10.0.0.3', false],
      ],
    ],
    ['IPv6', [['2001:db8::2', true]]],
  ]);
});

test.each([
  [
    'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: {}',
    'spec.clusterIP: there is no cluster that would allocate one',
  ],
  ['apiVersion: v1\nkind: Service\nspec: {}', 'metadata.name: Required value'],
  ['apiVersion: v1\nkind: Strange\nmetadata: { name: x }', 'no matches for kind "Strange"'],
  ['a: [', 'm.yaml'],
])('%j is told with file and line', (text, problem) => {
  const [found] = readManifest(new MemoryDnsSource(), text, 'm.yaml');
  expect(found).toMatchObject({ file: 'm.yaml', line: expect.any(Number) as number });
  expect(`${found?.file}: ${found?.message}`).toContain(problem);
});

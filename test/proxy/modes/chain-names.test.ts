import { expect, test } from 'vitest';
import { serviceChain } from '../../../src/proxy/modes/chain-names.ts';

// Names seen in every cluster.
test.each([
  ['default', 'kubernetes', 'https', 'TCP', 'KUBE-SVC-NPX46M4PTMTKRN6Y'],
  ['kube-system', 'kube-dns', 'dns', 'UDP', 'KUBE-SVC-TCOU7JCQXEZGVUNU'],
] as const)('%s/%s:%s %s is %s', (namespace, name, port, protocol, chain) => {
  expect(serviceChain('SVC', { namespace, name, port, protocol })).toBe(chain);
});

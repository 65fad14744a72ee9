import { expect, test } from 'vitest';
import { currentKernel, kernelBehaviour } from '../../../src/proxy/ipvs/kernel.ts';

test.each([
  ['6.1.176', 'active-and-inactive', 'virtual-and-destination', Infinity],
  ['6.1.192', 'active-and-total', 'virtual-and-destination', 24_576],
  ['6.12.101', 'active-and-inactive', 'virtual-and-destination', Infinity],
  ['6.12.117', 'active-and-total', 'virtual-and-destination', 24_576],
  ['7.2.7', 'active-and-total', 'destination', Infinity],
  ['7.2.13-qemu', 'active-and-total', 'destination', 24_576],
])('Linux %s', (version, overhead, deadTemplatePorts, cacheBound) => {
  expect(kernelBehaviour(version)).toMatchObject({ overhead, deadTemplatePorts, cacheBound });
});

test('7.3.4 is the default, and text without a version is none', () => {
  expect(kernelBehaviour('Linux 7.3.4 (Debian)')).toEqual(currentKernel);
  expect(kernelBehaviour('latest')).toBeUndefined();
});

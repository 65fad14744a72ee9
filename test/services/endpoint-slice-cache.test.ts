import { describe, expect, test } from 'vitest';
import type { EndpointSlice } from '../../src/api/types/discovery.ts';
import { EndpointsChangeTracker } from '../../src/services/endpoints-change-tracker.ts';
import { endpoint, slice } from './objects.ts';

const NODE = 'node-1';

function endpointsOf(...slices: EndpointSlice[]): Record<string, string[]> {
  const tracker = new EndpointsChangeTracker({ nodeName: NODE });
  for (const one of slices) tracker.update(one);
  tracker.checkout();
  return Object.fromEntries(
    [...tracker.endpoints('default/web')].map(([key, list]) => [key, list.map((one) => one.key)]),
  );
}

describe('merging slices', () => {
  test('joins the slices of one Service, sorted by text', () => {
    expect(
      endpointsOf(
        slice([endpoint('10.0.0.10')], { name: 'b' }),
        slice([endpoint('10.0.0.9'), endpoint('10.0.0.1')], { name: 'a' }),
        slice([endpoint('10.0.0.7')], { name: 'c', service: 'other' }),
      ),
    ).toEqual({ 'IPv4//TCP': ['10.0.0.10:8080', '10.0.0.1:8080', '10.0.0.9:8080'].toSorted() });
  });

  test('a port needs a name, if only the empty one, and a number', () => {
    expect(
      endpointsOf(
        slice([endpoint('10.0.0.1')], {
          ports: [
            { port: 80 },
            { name: 'zero', port: 0 },
            { name: 'none' },
            { name: '', port: 81 },
          ],
        }),
      ),
    ).toEqual({ 'IPv4//TCP': ['10.0.0.1:81'] });
  });

  test('only the first address counts, and only of the slice’s family', () => {
    const two = { ...endpoint('10.0.0.1'), addresses: ['10.0.0.1', '10.0.0.2'] };
    expect(endpointsOf(slice([two, endpoint('2001:db8::1')]))).toEqual({
      'IPv4//TCP': ['10.0.0.1:8080'],
    });
    expect(endpointsOf(slice([endpoint('2001:DB8::1')], { addressType: 'IPv6' }))).toEqual({
      'IPv6//TCP': ['[2001:db8::1]:8080'],
    });
    expect(endpointsOf(slice([endpoint('example.org')], { addressType: 'FQDN' }))).toEqual({});
  });

  test('of duplicates the local copy wins, whichever comes first', () => {
    const far = slice([endpoint('10.0.0.1', 'node-2', 'unready')], { name: 'a' });
    const here = slice([endpoint('10.0.0.1', NODE)], { name: 'b' });
    for (const slices of [
      [far, here],
      [here, far],
    ]) {
      const tracker = new EndpointsChangeTracker({ nodeName: NODE });
      for (const one of slices) tracker.update(one);
      tracker.checkout();
      expect(tracker.endpoints('default/web').get('IPv4//TCP')).toMatchObject([
        { nodeName: NODE, ready: true },
      ]);
    }
  });

  test('conditions left out mean ready, serving and not terminating', () => {
    const tracker = new EndpointsChangeTracker({ nodeName: NODE });
    tracker.update(slice([{ addresses: ['10.0.0.1'] }]));
    tracker.checkout();
    expect(tracker.endpoints('default/web').get('IPv4//TCP')).toMatchObject([
      { ready: true, serving: true, terminating: false, nodeName: '' },
    ]);
  });
});

describe('noticing changes', () => {
  test('what is taken back before it was applied stays pending', () => {
    const tracker = new EndpointsChangeTracker({ nodeName: NODE });
    const before = slice([endpoint('10.0.0.1')]);
    tracker.update(before);
    tracker.checkout();
    expect(tracker.update(slice([endpoint('10.0.0.1')]))).toBe(false);
    expect(tracker.update(slice([endpoint('10.0.0.2')]))).toBe(true);
    expect(tracker.update(before)).toBe(true);
    expect(tracker.pending).toBe(1);
  });

  test('deleting what is not known is no change', () => {
    const tracker = new EndpointsChangeTracker({ nodeName: NODE });
    expect(tracker.update(slice([endpoint('10.0.0.1')]), true)).toBe(false);
    tracker.update(slice([endpoint('10.0.0.1')]));
    expect(tracker.update(slice([endpoint('10.0.0.1')]), true)).toBe(true);
    expect([...tracker.checkout().values()].map(({ current }) => current.size)).toEqual([0]);
  });

  test('a slice that goes to another proxy is gone', () => {
    const tracker = new EndpointsChangeTracker({ nodeName: NODE });
    tracker.update(slice([endpoint('10.0.0.1')]));
    tracker.checkout();
    const labels = { 'service.kubernetes.io/service-proxy-name': 'other' };
    expect(tracker.update(slice([endpoint('10.0.0.1')], { labels }))).toBe(true);
    tracker.checkout();
    expect(tracker.endpoints('default/web').size).toBe(0);
  });
});

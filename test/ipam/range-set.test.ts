import { describe, expect, test } from 'vitest';
import { formatIp } from '../../src/base/ip.ts';
import { parseRangeSets, type RangeConfig } from '../../src/ipam/range-set.ts';
import { cidr, ip } from './addresses.ts';

function problemsOf(...sets: RangeConfig[][]): string[] {
  const parsed = parseRangeSets(sets);
  return parsed.kind === 'invalid' ? parsed.problems : [];
}

describe('parseRangeSets', () => {
  test.each([
    ['10.244.1.0/24', '10.244.1.1-10.244.1.254', '10.244.1.1'],
    ['10.244.1.0/30', '10.244.1.1-10.244.1.2', '10.244.1.1'],
    ['fd00::/120', 'fd00::1-fd00::ff', 'fd00::1'],
  ])('%s defaults to %s with gateway %s', (subnet, addresses, gateway) => {
    const parsed = parseRangeSets([[{ subnet: cidr(subnet) }]]);
    const range = parsed.kind === 'ok' ? parsed.sets[0]?.[0] : undefined;
    expect(range?.addresses.toString()).toBe(addresses);
    expect(range && formatIp(range.gateway)).toBe(gateway);
  });

  test('every problem is reported, with its place', () => {
    expect(
      problemsOf(
        [{ subnet: cidr('10.0.0.0/31') }],
        [
          { subnet: cidr('10.1.0.0/24'), rangeStart: ip('10.2.0.1') },
          { subnet: cidr('10.3.0.0/24'), rangeStart: ip('10.3.0.9'), rangeEnd: ip('10.3.0.8') },
          { subnet: cidr('10.4.0.0/24'), gateway: ip('fd00::1') },
        ],
      ),
    ).toEqual([
      'ranges[0][0]: subnet 10.0.0.0/31 is too small: use /30 or larger',
      'ranges[1][0]: rangeStart 10.2.0.1 is not in 10.1.0.0/24',
      'ranges[1][1]: rangeStart is above rangeEnd',
      'ranges[1][2]: gateway fd00::1 is not IPv4 like its subnet',
    ]);
  });

  test('families and overlaps', () => {
    const a = { subnet: cidr('10.0.0.0/24') };
    const low = { ...a, rangeEnd: ip('10.0.0.99') };
    const high = { ...a, rangeStart: ip('10.0.0.100') };
    expect(problemsOf([low, high])).toEqual([]);
    expect(problemsOf([a], [high])).toEqual(['ranges[0][0] overlaps ranges[1][0]']);
    expect(problemsOf([low, { subnet: cidr('fd00::/64') }])).toEqual([
      'ranges[0]: a range set has one address family',
    ]);
    expect(problemsOf([])).toEqual(['ranges[0]: a range set needs at least one range']);
  });
});

import { array, assert, constant, integer, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FAULT_OPTIONS, formatFaults, parseFaults } from '../../src/overlay/fault-text.ts';

describe('faults as people write them', () => {
  test('every option is understood', () => {
    const options = {
      loss: '2%',
      delay: '10ms',
      jitter: '500us',
      reorder: '0.5%',
      'reorder-delay': '1s',
      duplicate: '1%',
      corrupt: '0.01%',
      rate: '10mbit',
      queue: '65536',
      partition: true,
      'black-hole-mtu': '1400',
      'block-udp-port': '8472,53',
      'partial-checksums': true,
    };
    expect(Object.keys(options)).toEqual(Object.keys(FAULT_OPTIONS));
    const faults = parseFaults(options);
    expect(faults).toEqual({
      lossFraction: 0.02,
      delayMs: 10,
      jitterMs: 0.5,
      reorderFraction: 0.005,
      reorderDelayMs: 1000,
      duplicateFraction: 0.01,
      corruptFraction: 0.0001,
      rateBitsPerSecond: 10_000_000,
      queueBytes: 65_536,
      isPartitioned: true,
      blackHoleMtuBytes: 1400,
      blockedUdpPorts: [8472, 53],
      leavesChecksumsPartial: true,
    });
    expect(formatFaults(faults)).toBe(
      'loss 2% delay 10ms jitter 0.5ms reorder 0.5% reorder-delay 1000ms duplicate 1% corrupt 0.01% rate 10mbit queue 65536 partition black-hole-mtu 1400 block-udp-port 8472,53 partial-checksums',
    );
  });

  test.each([
    ['loss', '0.02', 'must be a percentage such as 2%'],
    ['loss', '101%', 'must be a percentage such as 2%'],
    ['delay', '10', 'must be a time such as 10ms'],
    ['rate', '10', 'must be a rate such as 10mbit'],
    ['queue', '64k', 'must be a number of bytes such as 262144'],
  ])('--%s %s is refused', (name, text, why) =>
    expect(() => parseFaults({ [name]: text })).toThrow(`--${name} "${text}" ${why}`),
  );

  test('what is printed is read again as the same', () =>
    assert(
      property(
        record(
          {
            lossFraction: integer({ min: 0, max: 10_000 }).map((value) => value / 10_000),
            delayMs: integer({ min: 0, max: 10_000 }),
            rateBitsPerSecond: integer({ min: 1, max: 10_000 }).map((value) => value * 1000),
            isPartitioned: constant(true),
            blockedUdpPorts: array(integer({ min: 1, max: 65_535 }), {
              minLength: 1,
              maxLength: 4,
            }),
          },
          { requiredKeys: [] },
        ),
        (faults) => {
          const words = formatFaults(faults).split(' ');
          const options: Record<string, string | boolean> = {};
          for (const [index, word] of words.entries())
            if (word === 'partition') options[word] = true;
            else if (Object.hasOwn(FAULT_OPTIONS, word)) options[word] = words[index + 1] ?? '';
          const { lossFraction = 0, ...rest } = parseFaults(options);
          const { lossFraction: expected = 0, ...others } = faults;
          expect(rest).toEqual(others);
          expect(lossFraction).toBeCloseTo(expected, 9);
        },
      ),
    ));
});

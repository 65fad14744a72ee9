import { expect, test } from 'vitest';
import { TrafficMeter } from '../../../src/proxy/ipvs/traffic.ts';

/** `perSecond` connections of 100 bytes each, from second `from` to second `to`. */
function count(meter: TrafficMeter, from: number, to: number, perSecond: number): void {
  for (let second = from; second < to; second += 1)
    for (let one = 0; one < perSecond; one += 1) {
      meter.settle(second * 1000 + one);
      meter.connections += 1;
      meter.bytesIn += 100;
    }
}

test('rates go a quarter of the way every two seconds, as the kernel’s estimator', () => {
  const meter = new TrafficMeter();
  expect(meter.rates(0)).toMatchObject({ connections: 0, bytesIn: 0 });
  count(meter, 0, 2, 100);
  // 100 a second: 25, then 25 + 75 / 4 …
  expect(meter.rates(1999)).toMatchObject({ connections: 0 });
  expect(meter.rates(2000)).toMatchObject({ connections: 25, bytesIn: 2500 });
  count(meter, 2, 4, 100);
  expect(meter.rates(4000)).toMatchObject({ connections: 44, bytesIn: 4375 });
  count(meter, 4, 60, 100);
  expect(meter.rates(60_000)).toMatchObject({ connections: 100, bytesIn: 9998 });
  expect(meter.totals()).toMatchObject({ connections: 6000, bytesIn: 600_000 });
});

test('silence brings them back to nothing, whether anybody looks meanwhile or not', () => {
  const [watched, alone] = [new TrafficMeter(), new TrafficMeter()];
  for (const meter of [watched, alone]) count(meter, 0, 10, 100);
  for (let second = 10; second < 30; second += 1) watched.rates(second * 1000);
  expect(alone.rates(30_000)).toEqual(watched.rates(30_000));
  expect(alone.rates(600_000)).toMatchObject({ connections: 0, bytesIn: 0, packetsOut: 0 });
});

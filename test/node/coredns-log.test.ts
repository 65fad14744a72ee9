import { expect, test } from 'vitest';
import { ManualClock } from '../../src/base/clock.ts';
import { corednsLogger } from '../../src/node/coredns-log.ts';
import { ContainerLog } from '../../src/node/runtime/container-log.ts';

test("a DNS server's log is its container's output, as CoreDNS prints it", () => {
  const output = new ContainerLog(new ManualClock());
  const log = corednsLogger(output);
  log.info('plugin/reload: Reloading');
  log.warn({ port: 53 }, 'DNS UDP socket error');
  log.error({ err: new Error('no such file') }, 'not read');
  log.debug('left out');
  expect(output.lines.map(({ text }) => text)).toEqual([
    '[INFO] plugin/reload: Reloading',
    '[WARNING] DNS UDP socket error {"port":53}',
    '[ERROR] not read {"cause":"no such file"}',
  ]);
});

import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { ImageServices } from '../../../src/node/images/image.ts';
import { ContainerLog } from '../../../src/node/runtime/container-log.ts';
import type { ContainerSpec } from '../../../src/node/runtime/container.ts';

export function containerSpec(change: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: 'c',
    image: 'whoami',
    command: [],
    args: [],
    env: {},
    ports: [],
    pod: { name: 'web-0', namespace: 'shop', uid: 'u', ip: '127.0.0.1', nodeName: 'node-1' },
    output: new ContainerLog(systemClock),
    log: silentLogger,
    ...change,
  };
}

/** Every server gets a free port. */
export const anyPort: ImageServices = {
  clock: systemClock,
  random: seededRandom('images'),
  bindPort: () => 0,
};

/** The URL a built-in HTTP server said it listens on. */
export function urlIn(spec: ContainerSpec): string {
  for (const { text } of spec.output.lines) {
    const url = /listening on (http:\S+)/.exec(text)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('no server listens');
}

import { expect, test } from 'vitest';
import type { Pod } from '../../src/api/types/core.ts';
import { ManualClock } from '../../src/base/clock.ts';
import { podLogs } from '../../src/cluster/pod-logs.ts';
import type { PodLogOptions } from '../../src/controlplane/apiserver/pod-access.ts';
import { ContainerLog } from '../../src/node/runtime/container-log.ts';

const POD: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'u' },
  spec: { nodeName: 'node-1', containers: [{ name: 'c', image: 'nginx' }] },
  status: {
    containerStatuses: [
      {
        name: 'c',
        state: { waiting: { reason: 'CreateContainerConfigError' } },
        ready: false,
        restartCount: 0,
        image: 'nginx',
        imageID: '',
      },
    ],
  },
};

function setUp(pod: Pod = POD) {
  const clock = new ManualClock();
  const lives: { current?: ContainerLog; previous?: ContainerLog } = {};
  const access = podLogs(
    {
      pod: (name) => (name === 'web' ? pod : undefined),
      log: (_, container, previous) =>
        container === 'c' ? (previous ? lives.previous : lives.current) : undefined,
    },
    clock,
  );
  const abort = new AbortController();
  const read = (options: Partial<PodLogOptions> = {}): AsyncIterable<string | Buffer> =>
    access.logs(
      { namespace: 'default', name: 'web' },
      {
        container: undefined,
        follow: false,
        previous: false,
        timestamps: false,
        tailLines: undefined,
        sinceSeconds: undefined,
        limitBytes: undefined,
        ...options,
      },
      abort.signal,
    );
  return { clock, lives, read, abort };
}

async function textOf(chunks: AsyncIterable<string | Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.toString();
  return text;
}

test.each<[string, Partial<PodLogOptions>, string]>([
  ['everything', {}, 'one\ntwo\nthree\n'],
  ['the last lines', { tailLines: 2 }, 'two\nthree\n'],
  ['no lines', { tailLines: 0 }, ''],
  ['the last seconds', { sinceSeconds: 5 }, 'three\n'],
  ['so many bytes', { limitBytes: 6 }, 'one\ntw'],
  ['the times', { tailLines: 1, timestamps: true }, 'TIME three\n'],
])('%s', async (_, options, text) => {
  const { clock, lives, read } = setUp();
  const log = (lives.current = new ContainerLog(clock));
  log.write('stdout', 'one\ntwo\n');
  clock.advance(10_000);
  log.write('stderr', 'three\n');
  const printed = await textOf(read(options));
  expect(printed.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')).toBe(text);
});

test('a followed log goes on until the container ends', async () => {
  const { clock, lives, read } = setUp();
  const log = (lives.current = new ContainerLog(clock));
  log.write('stdout', 'before\n');
  const reading = textOf(read({ follow: true }));
  await Promise.resolve();
  log.write('stdout', 'after\nunfinished');
  log.end();
  expect(await reading).toBe('before\nafter\nunfinished\n');
});

test('the log of the life before is another one', async () => {
  const { clock, lives, read } = setUp();
  lives.previous = new ContainerLog(clock);
  lives.previous.write('stdout', 'crashed\n');
  lives.current = new ContainerLog(clock);
  lives.current.write('stdout', 'back\n');
  expect(await textOf(read({ previous: true }))).toBe('crashed\n');
  expect(await textOf(read())).toBe('back\n');
});

test.each<[string, Pod, Partial<PodLogOptions>, RegExp]>([
  ['no life before', POD, { previous: true }, /previous terminated container "c" in pod "web" not/],
  ['not started', POD, {}, /waiting to start: CreateContainerConfigError/],
  ['another container', POD, { container: 'd' }, /container d is not valid for pod web/],
  [
    'no node yet',
    { ...POD, spec: { ...POD.spec, nodeName: '' } },
    {},
    /pod web does not have a host assigned/,
  ],
  [
    'several containers',
    { ...POD, spec: { ...POD.spec, containers: [{ name: 'c' }, { name: 'd' }] } },
    {},
    /a container name must be specified for pod web, choose one of: \[c d\]/,
  ],
])('refused: %s', (_, pod, options, message) => {
  const { read } = setUp(pod);
  expect(() => read(options)).toThrow(message);
});

import { expect, test } from 'vitest';
import type { Container } from '../../../src/api/types/core.ts';
import { ManualClock } from '../../../src/base/clock.ts';
import { PodwireError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { ContainerWorker, type RestartPolicy } from '../../../src/node/kubelet/container-worker.ts';
import { ContainerLog } from '../../../src/node/runtime/container-log.ts';
import type { ContainerSpec, ExitStatus } from '../../../src/node/runtime/container.ts';

/** A runtime whose containers end when the test says so. */
class FakeRuntime {
  readonly stops: number[] = [];
  starts = 0;
  execExitCode = 0;
  #settle: (status: ExitStatus) => void = () => undefined;

  start() {
    this.starts += 1;
    const exited = new Promise<ExitStatus>((resolve) => {
      this.#settle = resolve;
    });
    return Promise.resolve({
      exited,
      stop: async (graceMs: number) => {
        this.stops.push(graceMs);
        this.exit(0);
        await exited;
      },
      exec: () => Promise.resolve({ exitCode: this.execExitCode, output: 'checked' }),
    });
  }

  exit(exitCode: number): void {
    this.#settle({ exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' });
  }
}

function setUp(
  options: { policy?: RestartPolicy; container?: Partial<Container>; prepare?: () => void } = {},
) {
  const clock = new ManualClock();
  const runtime = new FakeRuntime();
  const events: string[] = [];
  const container = { name: 'c', image: 'whoami', ...options.container };
  const spec: ContainerSpec = {
    name: 'c',
    image: 'whoami',
    command: [],
    args: [],
    env: {},
    ports: [],
    pod: { name: 'p', namespace: 'default', uid: 'u', ip: '192.0.2.7', nodeName: 'n' },
    output: new ContainerLog(clock),
    log: silentLogger,
  };
  const worker = new ContainerWorker({
    clock,
    container,
    podUid: 'u',
    podTitle: 'p_default(u)',
    podIP: '192.0.2.7',
    restartPolicy: options.policy ?? 'Always',
    runtime,
    prepare: () => {
      options.prepare?.();
      return Promise.resolve(spec);
    },
    dialPort: (_, port) => port,
    onChange: () => undefined,
    record: (_, reason) => events.push(reason),
  });
  return { clock, runtime, events, worker };
}

/** Lets promise chains run to where they wait for the clock or the test. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}

test('starts, is ready without a probe, and stops on request', async () => {
  const { worker, events, runtime } = setUp();
  await settle();
  expect(worker.status).toMatchObject({ ready: true, started: true, restartCount: 0 });
  await worker.stop(5_000);
  expect(worker.status.state?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
  expect(runtime.stops).toEqual([5_000]);
  expect(events).toEqual(['Pulled', 'Created', 'Started', 'Killing']);
});

test('restarts at once, then after 10 s, then after 20 s', async () => {
  const { worker, clock, runtime } = setUp();
  await settle();
  runtime.exit(1);
  await settle();
  expect(worker.status).toMatchObject({
    restartCount: 1,
    lastState: { terminated: { exitCode: 1 } },
  });
  for (const delayMs of [10_000, 20_000]) {
    const before = runtime.starts;
    runtime.exit(1);
    await settle();
    expect(worker.status.state?.waiting?.reason).toBe('CrashLoopBackOff');
    clock.advance(delayMs - 1);
    await settle();
    expect(runtime.starts).toBe(before);
    clock.advance(1);
    await settle();
    expect(runtime.starts).toBe(before + 1);
  }
  await worker.stop(0);
  expect(clock.pending).toBe(0);
});

test.each<[RestartPolicy, number, number]>([
  ['Never', 1, 1],
  ['Never', 0, 1],
  ['OnFailure', 0, 1],
  ['OnFailure', 1, 2],
  ['Always', 0, 2],
])('%s after exit %i: %i starts', async (policy, exitCode, starts) => {
  const { worker, runtime } = setUp({ policy });
  await settle();
  runtime.exit(exitCode);
  await settle();
  expect(runtime.starts).toBe(starts);
  await worker.stop(0);
});

test('waits for its configuration', async () => {
  let missing = true;
  const { worker, clock, runtime, events } = setUp({
    prepare: () => {
      if (missing) throw new PodwireError('CreateContainerConfigError', 'configmap "x" not found');
    },
  });
  await settle();
  expect(worker.status.state?.waiting).toEqual({
    reason: 'CreateContainerConfigError',
    message: 'configmap "x" not found',
  });
  missing = false;
  clock.advance(2_000);
  await settle();
  expect(runtime.starts).toBe(1);
  expect(events).toEqual(['Failed', 'Pulled', 'Created', 'Started']);
  await worker.stop(0);
});

test('readiness follows its probe, and three failures take it away', async () => {
  const { worker, clock, runtime, events } = setUp({
    container: { readinessProbe: { exec: { command: ['check'] }, periodSeconds: 1 } },
  });
  await settle();
  expect(worker.status.ready).toBe(false);
  clock.advance(0);
  await settle();
  expect(worker.status.ready).toBe(true);
  runtime.execExitCode = 1;
  for (const stillReady of [true, true, false]) {
    clock.advance(1_000);
    await settle();
    expect(worker.status.ready).toBe(stillReady);
  }
  expect(events.filter((reason) => reason === 'Unhealthy')).toHaveLength(3);
  await worker.stop(0);
  expect(clock.pending).toBe(0);
});

test('a failing liveness probe restarts the container', async () => {
  const { worker, clock, runtime } = setUp({
    container: { livenessProbe: { exec: { command: ['check'] }, periodSeconds: 1 } },
  });
  await settle();
  runtime.execExitCode = 1;
  for (let run = 0; run < 3; run += 1) {
    clock.advance(run === 0 ? 0 : 1_000);
    await settle();
  }
  expect(runtime.starts).toBe(2);
  expect(worker.status.restartCount).toBe(1);
  await worker.stop(0);
  expect(clock.pending).toBe(0);
});

test('a startup probe holds back readiness until it succeeds', async () => {
  const { worker, clock, runtime } = setUp({
    container: {
      startupProbe: { exec: { command: ['up'] }, periodSeconds: 1, failureThreshold: 5 },
    },
  });
  runtime.execExitCode = 1;
  await settle();
  clock.advance(0);
  await settle();
  expect(worker.status).toMatchObject({ started: false, ready: false });
  runtime.execExitCode = 0;
  clock.advance(1_000);
  await settle();
  expect(worker.status).toMatchObject({ started: true, ready: true });
  await worker.stop(0);
});

test('preStop sleeps before SIGTERM, out of the same grace', async () => {
  const { worker, clock, runtime } = setUp({
    container: { lifecycle: { preStop: { sleep: { seconds: 2 } } } },
  });
  await settle();
  const stopped = worker.stop(5_000);
  await settle();
  expect(runtime.stops).toEqual([]);
  clock.advance(2_000);
  await stopped;
  expect(runtime.stops).toEqual([3_000]);
});

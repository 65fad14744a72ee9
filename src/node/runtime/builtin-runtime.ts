import type { Clock } from '../../base/clock.ts';
import { errorCode, errorMessage } from '../../base/errors.ts';
import { BUILTIN_IMAGES, FALLBACK_IMAGE, imageBaseName } from '../images/catalogue.ts';
import type { ImageServices, RunningImage } from '../images/image.ts';
import type { ContainerHandle, ContainerRuntime, ContainerSpec, ExitStatus } from './container.ts';

const KILLED: ExitStatus = { exitCode: 137, signal: 9, reason: 'Error' };
const COMPLETED: ExitStatus = { exitCode: 0, reason: 'Completed' };
const FAILED: ExitStatus = { exitCode: 1, reason: 'Error' };

/** Runs catalogue images as small servers inside this process, on the pod's own address. */
export class BuiltinRuntime implements ContainerRuntime {
  readonly #clock: Clock;
  readonly #services: ImageServices;

  constructor(clock: Clock, services: ImageServices) {
    this.#clock = clock;
    this.#services = services;
  }

  /** A server that cannot start ends like a program that logged why and exited with 1. */
  async start(spec: ContainerSpec): Promise<ContainerHandle> {
    const image = BUILTIN_IMAGES[imageBaseName(spec.image)] ?? FALLBACK_IMAGE;
    let running: RunningImage;
    try {
      running = await image.start(spec, this.#services);
    } catch (error) {
      spec.output.write('stderr', `${startFailure(error)}\n`);
      return { exited: Promise.resolve(FAILED), stop: () => Promise.resolve() };
    }
    return this.#handle(running);
  }

  #handle(running: RunningImage): ContainerHandle {
    let settle: (status: ExitStatus) => void = () => undefined;
    const exited = new Promise<ExitStatus>((resolve) => {
      settle = resolve;
    });
    const finish = async (exitCode: number): Promise<void> => {
      await running[Symbol.asyncDispose]();
      settle({ exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' });
    };
    void running.exited?.then(finish);
    let stopping: Promise<void> | undefined;
    const stop = async (graceMs: number): Promise<void> => {
      let status = COMPLETED;
      const kill = (): void => {
        status = KILLED;
        void running[Symbol.asyncDispose]();
      };
      const timer = this.#clock.setTimer(graceMs, kill);
      await running.close();
      timer.cancel();
      settle(status);
      await exited;
    };
    return { exited, stop: (graceMs) => (stopping ??= stop(graceMs)) };
  }
}

function startFailure(error: unknown): string {
  const hint =
    errorCode(error) === 'EADDRINUSE' ? ' (another program on this machine has the address)' : '';
  return `cannot start: ${errorMessage(error)}${hint}`;
}

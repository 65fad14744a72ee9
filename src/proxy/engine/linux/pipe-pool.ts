import { F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from '../../../base/linux/abi.ts';
import type { Descriptors } from './descriptors.ts';
import type { Linux, Mapping, SystemCalls } from '../../../base/linux/system-calls.ts';

/** What one splice(2) can take: fs.pipe-max-size as shipped. Bigger ones need CAP_SYS_RESOURCE. */
export const PIPE_BYTES: number = 1 << 20;
/** More idle pipes than this are closed. */
const MOST_IDLE = 64;

export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/** Pipes for splice(2). Who takes one owns it and gives it back empty, or drops it. */
export class PipePool {
  readonly #calls: SystemCalls;
  readonly #descriptors: Descriptors;
  readonly #fds: Mapping;
  readonly #pair: Int32Array;
  readonly #idle: Pipe[] = [];

  constructor(linux: Linux, descriptors: Descriptors) {
    this.#calls = linux.calls;
    this.#descriptors = descriptors;
    this.#fds = linux.map(8);
    this.#pair = new Int32Array(this.#fds.buffer);
  }

  /** Undefined at the file limit. */
  take(): Pipe | undefined {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#calls.pipe2(this.#fds.address, O_NONBLOCK | O_CLOEXEC) === -1) return undefined;
    const [readFd = -1, writeFd = -1] = this.#pair;
    // Refused above fs.pipe-user-pages-soft: then the pipe stays small, and works.
    this.#calls.fcntl(writeFd, F_SETPIPE_SZ, PIPE_BYTES);
    return { readFd: this.#descriptors.own(readFd), writeFd: this.#descriptors.own(writeFd) };
  }

  giveBack(pipe: Pipe): void {
    if (this.#idle.length < MOST_IDLE) this.#idle.push(pipe);
    else this.drop(pipe);
  }

  /** Closes a pipe that may hold bytes. */
  drop(pipe: Pipe): void {
    this.#descriptors.close(pipe.readFd);
    this.#descriptors.close(pipe.writeFd);
  }
}

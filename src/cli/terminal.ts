import { errorCode, errorMessage } from '../base/errors.ts';

/** Where commands write. Results go to stdout, progress and complaints to stderr. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** What a program prints, passed on as it is; resolves once it is taken, also when nobody reads any more. */
  write(bytes: Buffer): Promise<void>;
  /** Aborts when stdout takes no more, as behind `| head -1`: for commands that would print for ever. */
  readonly closed: AbortSignal;
}

/**
 * The process's own streams. A reader that has seen enough is no failure: what a command still prints is
 * dropped, so that it ends as it would have and leaves nothing behind. What cannot be written for another
 * reason, such as a full disk, is told once and makes the exit code 1.
 */
export function openTerminal(): Terminal {
  const closed = new AbortController();
  process.stdout.on('error', (error) => {
    if (!closed.signal.aborted && errorCode(error) !== 'EPIPE') {
      process.stderr.write(`podwire: stdout: ${errorMessage(error)}\n`);
      process.once('exit', () => {
        process.exitCode = EXIT.failure;
      });
    }
    closed.abort();
  });
  process.stderr.on('error', () => undefined);
  return {
    out: (text) => void process.stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
    write: (bytes) =>
      new Promise((resolve) => {
        process.stdout.write(bytes, () => resolve());
      }),
    closed: closed.signal,
  };
}

/** Exit codes, as sysexits and common practice have them. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
} as const;

/** Ends a command with a message for people and an exit code; not a crash. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure) {
    super(message);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** Where commands write. Results go to stdout, progress and complaints to stderr. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** What a program prints, passed on as it is; resolves once it is taken, also when nobody reads any more. */
  write(bytes: Buffer): Promise<void>;
}

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  write: (bytes) =>
    new Promise((resolve) => {
      process.stdout.write(bytes, () => resolve());
    }),
};

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

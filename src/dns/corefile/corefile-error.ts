import { PodwireError } from '../../base/errors.ts';

/** Where something was written. */
export interface Position {
  readonly file: string;
  readonly line: number;
}

/** A Corefile that cannot be used: file, line and what was expected there. Code `COREFILE_INVALID`. */
export class CorefileError extends PodwireError {
  readonly position: Position;

  constructor(position: Position, problem: string, options?: ErrorOptions) {
    super(
      'COREFILE_INVALID',
      `${position.file}:${position.line} - Error during parsing: ${problem}`,
      options,
    );
    this.name = 'CorefileError';
    this.position = position;
  }
}

import type { Clock } from '../../base/clock.ts';

export interface LogLine {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface LogListener {
  onLine(line: LogLine): void;
  onEnd(): void;
}

/** Older lines are forgotten first. */
const MAX_LINES = 10_000;
const MAX_LINE_CHARS = 16_384;

/** What one life of a container wrote, bounded, line by line. */
export class ContainerLog {
  readonly #clock: Clock;
  readonly #lines: LogLine[] = [];
  readonly #partial = { stdout: '', stderr: '' };
  readonly #listeners = new Set<LogListener>();
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** Nothing more will come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Takes any piece of output; complete lines are kept, an over-long one is cut into several. */
  write(stream: 'stdout' | 'stderr', text: string): void {
    const pieces = (this.#partial[stream] + text).split('\n');
    let rest = pieces.pop() ?? '';
    while (rest.length > MAX_LINE_CHARS) {
      pieces.push(rest.slice(0, MAX_LINE_CHARS));
      rest = rest.slice(MAX_LINE_CHARS);
    }
    this.#partial[stream] = rest;
    for (const piece of pieces) this.#append(stream, piece);
  }

  /** The output has ended: an unfinished last line counts as one. Idempotent. */
  end(): void {
    if (this.#ended) return;
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#partial[stream] !== '') this.#append(stream, this.#partial[stream]);
      this.#partial[stream] = '';
    }
    this.#ended = true;
    for (const listener of this.#listeners) listener.onEnd();
  }

  /** Tells `listener` of every line from now on, and of the end, until the returned function is called. */
  follow(listener: LogListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #append(stream: LogLine['stream'], text: string): void {
    const line: LogLine = { at: this.#clock.wallNow(), stream, text };
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.splice(0, this.#lines.length - MAX_LINES);
    for (const listener of this.#listeners) listener.onLine(line);
  }
}

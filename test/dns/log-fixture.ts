import pino from 'pino';
import type { Logger } from '../../src/base/log.ts';

/** A logger that keeps messages, as `level: message`. */
export function recordingLogger(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const stream = {
    write(line: string) {
      const { level, msg } = JSON.parse(line) as { level: number; msg?: string };
      lines.push(`${pino.levels.labels[level]}: ${msg ?? ''}`);
    },
  };
  return { log: pino({ level: 'debug', base: null }, stream), lines };
}

import pino from 'pino';
import pretty from 'pino-pretty';

/** Structured and injected: `log.info({ pod, node }, 'pod started')`. */
export type Logger = pino.Logger;

export type LogFormat = 'text' | 'json';

/** Writes to `fd` (default 2, stderr), synchronously so that nothing is lost at exit. */
export function createLogger(options: { level: string; format: LogFormat; fd?: number }): Logger {
  const fd = options.fd ?? 2;
  const settings = { level: options.level, base: null };
  if (options.format === 'json') return pino(settings, pino.destination({ fd, sync: true }));
  const stream = pretty({
    destination: fd,
    sync: true,
    colorize: false,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
  });
  return pino(settings, stream);
}

/** Drops everything. */
export const silentLogger: Logger = pino({ level: 'silent' });

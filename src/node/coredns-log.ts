import pino from 'pino';
import type { Logger } from '../base/log.ts';
import type { ContainerLog } from './runtime/container-log.ts';

/** Go's log levels as CoreDNS prints them (plugin/pkg/log). */
const LEVELS: Readonly<Record<number, string>> = {
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARNING',
  50: 'ERROR',
  60: 'FATAL',
};

interface LoggedLine {
  readonly level: number;
  readonly msg?: string;
  readonly err?: { readonly message: string };
}

/** Writes a DNS server's log as its container's output, in CoreDNS's form: `[INFO] plugin/reload: …`. */
export function corednsLogger(output: ContainerLog): Logger {
  return pino(
    { level: 'info', base: null, timestamp: false },
    { write: (line: string) => output.write('stdout', `${formatLine(line)}\n`) },
  );
}

/** Fields that are not in the message follow it. */
function formatLine(line: string): string {
  const { level, msg = '', err, ...fields } = JSON.parse(line) as LoggedLine;
  const details = { ...fields, ...(err === undefined ? {} : { cause: err.message }) };
  const rest = Object.keys(details).length === 0 ? '' : ` ${JSON.stringify(details)}`;
  return `[${LEVELS[level] ?? 'INFO'}] ${msg}${rest}`;
}
